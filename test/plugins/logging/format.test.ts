import t from 'tap'
import { createLogger, type LoggingOptions } from '../../../plugins/logging/index.ts'

function prettyLogger(options: LoggingOptions = {}) {
  const lines: string[] = []
  const { logger } = createLogger({ format: 'pretty', destination: { write: (line) => lines.push(line) }, ...options })
  return { logger, lines }
}

t.test('a pretty line has time with zone, level, pid, module, request id, message and the other fields', async (t) => {
  const { logger, lines } = prettyLogger({ module: 'worker' })

  logger.child({ request_id: 'abc-1' }).warn({ status: 503 }, 'hello')

  t.match(
    lines[0],
    /^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} [+-]\d{4}\] WARN \(\d+\): worker \[abc-1\] hello \{"status":503\}\n$/
  )
})

t.test('control characters of any value are shown escaped in pretty lines (V14)', async (t) => {
  const { logger, lines } = prettyLogger({ module: 'a\nb' })
  const evil = 'x\n[2026-01-01] FATAL: forged\r\u001b[2J\u009b31m\u2028\u202e\u0007'

  logger.info({ name: evil, [evil]: evil, nested: { list: [evil] } }, evil)
  logger.error(Object.assign(new Error(evil), { code: evil, [evil]: evil }), evil)

  for (const line of lines) {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: what must not be there
    t.notMatch(line, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u202e]/)
    t.notMatch(line, /^\[2026-01-01\]/m, 'no forged line')
  }
  t.equal(lines[0]?.trimEnd().split('\n').length, 1)
  t.match(lines[0], 'x\\u000a[2026-01-01] FATAL: forged\\u000d\\u001b[2J\\u009b31m')
})

t.test('the stack of an error stays readable', async (t) => {
  const { logger, lines } = prettyLogger()

  logger.error(new Error('boom'), 'failed')

  t.match(lines[0], /^\s+at .*format\.test\.ts:\d+/m)
})

t.test('caller adds the file and line of the call, in pretty lines only', async (t) => {
  const { logger, lines } = prettyLogger({ caller: true })
  const json: string[] = []

  logger.info('here')
  createLogger({ caller: true, destination: { write: (line) => json.push(line) } }).logger.info('here')

  t.match(lines[0], /here \(test\/plugins\/logging\/format\.test\.ts:\d+\)/)
  t.notMatch(json[0], /format\.test/)
})

t.test('level drops what is less severe, and the level is a word', async (t) => {
  const lines: string[] = []
  const { logger } = createLogger({ level: 'warn', destination: { write: (line) => lines.push(line) } })

  for (const level of ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const) logger[level]('x')

  t.same(
    lines.map((line) => JSON.parse(line).level),
    ['warn', 'error', 'fatal']
  )
})

t.test('format auto is JSON when the destination is no terminal', async (t) => {
  const lines: string[] = []

  createLogger({ destination: { write: (line) => lines.push(line) } }).logger.info('x')

  t.match(JSON.parse(lines[0] ?? ''), { msg: 'x' })
})

t.test('the time of a line is right to the millisecond, over the turn of a second too', async (t) => {
  const lines: string[] = []
  const { logger } = createLogger({ destination: { write: (line) => lines.push(line) } })
  const times = [1_800_000_000_007, 1_800_000_000_999, 1_800_000_001_000, 1_799_999_999_050]

  for (const now of times) {
    const clock = t.capture(Date, 'now', () => now)
    logger.info('x')
    clock.restore()
  }

  t.same(
    lines.map((line) => Date.parse(JSON.parse(line).time)),
    times
  )
})
