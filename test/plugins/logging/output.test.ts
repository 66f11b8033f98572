import t from 'tap'
import { Output } from '../../../plugins/logging/output.ts'

/** A sink that keeps its batches and finishes them when told to. */
function heldSink() {
  const batches: string[] = []
  let done: ((error?: Error) => void) | undefined
  return {
    batches,
    finish(error?: Error) {
      const finished = done
      done = undefined
      finished?.(error)
    },
    write(batch: string, callback: (error?: Error) => void) {
      batches.push(batch)
      done = callback
    },
    writeSync: (batch: string) => void batches.push(`last words: ${batch}`)
  }
}

const LINE = `${'x'.repeat(1023)}\n`
const FOUR_MIB_OF_LINES = 4096

t.test('lines go out in batches of 64 KB', (t) => {
  const sink = heldSink()
  const output = new Output(sink, 250)

  for (let n = 0; n < 70; n++) output.write(LINE)

  t.equal(sink.batches.length, 1)
  t.equal(sink.batches[0], LINE.repeat(64))
  t.end()
})

t.test('a lone line goes out after the delay', async (t) => {
  const { promise, resolve } = Promise.withResolvers<string>()
  const output = new Output({ write: resolve, writeSync() {} }, 10)
  // The timer of the output alone would not keep this process running.
  const alive = setInterval(() => {}, 1000)
  t.teardown(() => clearInterval(alive))

  output.write(LINE)

  t.equal(await promise, LINE)
})

t.test('without a delay each line goes out at once', (t) => {
  const sink = heldSink()
  const output = new Output(sink, 0)

  output.write('a\n')
  output.write('b\n')
  output.write('c\n')
  sink.finish()

  t.same(sink.batches, ['a\n', 'b\nc\n'], 'and one batch at a time')
  t.end()
})

t.test('a sink that does not finish costs 4 MiB; the lines on top are dropped, counted and reported once', (t) => {
  const sink = heldSink()
  const output = new Output(sink, 250)
  const reports: number[] = []
  output.onRecover = (dropped) => {
    reports.push(dropped)
    output.write('report\n')
  }
  for (let n = 0; n < 64; n++) output.write(LINE)

  for (let n = 0; n < FOUR_MIB_OF_LINES + 100; n++) output.write(LINE)
  t.equal(output.dropped, 100)
  t.same(reports, [], 'nothing to say it to yet')

  sink.finish()
  t.same(reports, [100])
  t.equal(sink.batches.at(-1)?.length, 4 * 1024 * 1024, 'what was kept follows')

  sink.finish()
  t.same(reports, [100])
  t.equal(output.dropped, 100, 'there was room for the report')
  t.end()
})

t.test('a sink that broke for good is not asked again, and what comes is dropped', (t) => {
  const sink = heldSink()
  const output = new Output(sink, 0)
  output.write('a\n')
  output.write('b\n')

  sink.finish(new Error('EPIPE'))
  output.write('c\n')

  t.same(sink.batches, ['a\n'])
  t.equal(output.dropped, 1)
  t.end()
})

t.test('flush resolves when everything is out', async (t) => {
  const sink = heldSink()
  const output = new Output(sink, 250)
  let flushed = false
  output.write('a\n')

  const flush = output.flush().then(() => (flushed = true))
  output.write('b\n')
  sink.finish()
  await Promise.resolve()
  t.equal(flushed, false, 'b is still on its way')
  sink.finish()
  await flush

  t.same(sink.batches, ['a\n', 'b\n'])
})

t.test('flush gives up on a sink that hangs, after a second', { timeout: 5000 }, async (t) => {
  const output = new Output(heldSink(), 250)
  output.write('a\n')

  await t.resolves(output.flush())
})

t.test('flush resolves when the sink breaks', async (t) => {
  const sink = heldSink()
  const output = new Output(sink, 250)
  output.write('a\n')

  const flush = output.flush()
  sink.finish(new Error('EPIPE'))

  await t.resolves(flush)
})
