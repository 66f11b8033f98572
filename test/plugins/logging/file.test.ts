import {
  appendFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync
} from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { createLogger } from '../../../plugins/logging/index.ts'
import { fileSink, type Sink } from '../../../plugins/logging/sinks.ts'

const write = (sink: Sink, batch: string) => new Promise<void>((resolve) => sink.write(batch, () => resolve()))
const KEEP_FIVE_OF_100 = { maxBytes: 100, keep: 5 }

t.test('LOG_FILE: lines go to the file, in a folder that is made, as JSON', async (t) => {
  const path = join(t.testdir(), 'logs', 'app.log')
  const { logger, flush } = createLogger({ file: path })

  logger.info('hello')
  await flush()

  t.match(JSON.parse(readFileSync(path, 'utf8')), { level: 'info', msg: 'hello' })
  t.equal(statSync(path).mode & 0o007, 0, 'not for everybody')
})

t.test('a file that cannot be opened fails at once', (t) => {
  const path = join(t.testdir({ file: '' }), 'file', 'app.log')

  t.throws(() => createLogger({ file: path }), { code: /ENOTDIR|EEXIST/ })
  t.end()
})

t.test('the file rotates by size, five are kept, and no line is split or lost before that', async (t) => {
  const folder = t.testdir()
  const sink = fileSink({ path: join(folder, 'app.log'), ...KEEP_FIVE_OF_100 })

  for (let n = 10; n < 60; n++) await write(sink, `line ${n} ${'.'.repeat(41)}\n`)

  const files = readdirSync(folder).sort()
  t.same(files, ['app.log', 'app.log.1', 'app.log.2', 'app.log.3', 'app.log.4'])
  const text = files.reverse().map((file) => readFileSync(join(folder, file), 'utf8'))
  t.ok(text.every((part) => part.length <= 100))
  t.same(
    text.join('').match(/^line \d+/gm),
    Array.from({ length: 10 }, (_, n) => `line ${50 + n}`)
  )
})

t.test('an existing file is continued and its size counts', async (t) => {
  const folder = t.testdir({ 'app.log': `${'o'.repeat(79)}\n` })
  const sink = fileSink({ path: join(folder, 'app.log'), ...KEEP_FIVE_OF_100 })

  await write(sink, 'new line 1\n')
  await write(sink, 'new line 2\n')

  t.match(readFileSync(join(folder, 'app.log.1'), 'utf8'), /^o{79}\nnew line 1\n$/)
  t.equal(readFileSync(join(folder, 'app.log'), 'utf8'), 'new line 2\n')
})

t.test('two processes that share a file rotate it once', async (t) => {
  const folder = t.testdir()
  const path = join(folder, 'app.log')
  const one = fileSink({ path, ...KEEP_FIVE_OF_100 })
  const two = fileSink({ path, ...KEEP_FIVE_OF_100 })

  await write(one, `${'1'.repeat(89)}\n`)
  await write(two, `${'2'.repeat(19)}\n`)
  await write(one, `${'1'.repeat(19)}\n`)

  t.same(readdirSync(folder).sort(), ['app.log', 'app.log.1'])
  t.equal(readFileSync(path, 'utf8'), `${'2'.repeat(19)}\n${'1'.repeat(19)}\n`)
})

t.test('a file that was moved or removed from outside is opened anew', async (t) => {
  const folder = t.testdir()
  const path = join(folder, 'app.log')
  const sink = fileSink({ path, ...KEEP_FIVE_OF_100 })
  await write(sink, 'one\n')

  renameSync(path, join(folder, 'moved.log'))
  await write(sink, 'two\n')
  rmSync(path)
  await write(sink, 'three\n')

  t.equal(readFileSync(join(folder, 'moved.log'), 'utf8'), 'one\n')
  t.equal(readFileSync(path, 'utf8'), 'three\n')
})

t.test('a folder that can no longer be changed does not stop the log: the open file takes the lines', async (t) => {
  const folder = t.testdir()
  const path = join(folder, 'app.log')
  const sink = fileSink({ path, ...KEEP_FIVE_OF_100 })
  await write(sink, `${'x'.repeat(89)}\n`)
  // A folder in the way makes the rename fail.
  mkdirSync(join(folder, 'app.log.1'))
  appendFileSync(join(folder, 'app.log.1', 'in-use'), '')

  await write(sink, 'still written\n')

  t.match(readFileSync(path, 'utf8'), /still written\n$/)
})

t.test(
  'lines of a full disk wait, and are written when there is room again',
  { skip: process.platform !== 'linux' },
  async (t) => {
    const folder = t.testdir()
    const path = join(folder, 'app.log')
    // Every write to it fails with ENOSPC.
    symlinkSync('/dev/full', path)
    const sink = fileSink({ path, ...KEEP_FIVE_OF_100 })

    const written = write(sink, 'waited\n')
    rmSync(path)
    // The retry does not keep a process alive that has nothing else to do.
    const alive = setInterval(() => {}, 1000)
    await written
    clearInterval(alive)

    t.equal(readFileSync(path, 'utf8'), 'waited\n')
  }
)
