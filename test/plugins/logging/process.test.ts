import { type ChildProcess, type IOType, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import t, { type Test } from 'tap'

const LINE_BYTES = 1000
const MIB = 1024 * 1024

/** The child service with `stdout` as its standard output. */
async function startChild(t: Test, stdout: IOType | number, stderr: IOType | number = 'pipe') {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'child.ts')], {
    stdio: ['ignore', stdout, stderr, 'ipc'],
    env: { ...process.env, NODE_OPTIONS: '' }
  })
  t.teardown(() => child.kill('SIGKILL'))
  const [origin] = await once(child, 'message')
  return { child, get: (path: string) => fetch(`${origin}${path}`) }
}

/** All that `child` writes until it ends. */
function readAll(stream: Readable | null): Promise<string> {
  return stream === null ? Promise.resolve('') : text(stream)
}

async function stop(child: ChildProcess): Promise<number> {
  const exit = once(child, 'exit')
  child.kill('SIGTERM')
  const [code] = await exit
  return code
}

t.test('a service whose standard output and error are closed pipes keeps serving', async (t) => {
  const { child, get } = await startChild(t, 'pipe', 'pipe')
  child.stdout?.destroy()
  child.stderr?.destroy()

  for (const path of ['/', '/flood?lines=1000', '/unknown', '/']) t.ok((await get(path)).status < 500)

  t.equal(await stop(child), 0)
})

t.test('a service whose standard output nobody reads keeps serving, in bounded memory, and still stops', async (t) => {
  const { child, get } = await startChild(t, 'pipe')
  // Flowing is what reads; a paused stream lets the pipe fill up.
  child.stdout?.pause()
  const flood = async () => Number(await (await get('/flood?lines=20000')).text())

  const first = await flood()
  await flood()
  const third = await flood()

  t.ok(third - first < 15 * MIB, `40000 more lines of ${LINE_BYTES} bytes cost ${(third - first) / MIB} MiB`)
  t.equal((await get('/')).status, 200)
  t.equal(await stop(child), 0)
})

t.test('a reader that comes back gets whole lines, and is told how many are missing', async (t) => {
  const { child, get } = await startChild(t, 'pipe')
  child.stdout?.pause()
  await get('/flood?lines=20000')

  const output = readAll(child.stdout)
  await get('/')
  t.equal(await stop(child), 0)

  const lines = (await output)
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
  const reports = lines.filter(({ msg }) => msg === 'log lines were dropped')
  const kept = lines.length - reports.length
  t.ok(kept > 3000 && reports.length > 0, `${kept} kept, ${reports.length} reports`)
  const logged = 20_000 + ['listening', 'GET /flood completed', 'GET / completed'].length
  t.equal(kept + reports.reduce((sum, { dropped }) => sum + dropped, 0), logged)
})

t.test('what is logged right before process.exit is not lost', async (t) => {
  const { child, get } = await startChild(t, 'pipe')
  const output = readAll(child.stdout)
  const exit = once(child, 'exit')

  await t.rejects(get('/crash'))

  t.same(await exit, [3, null])
  t.match(await output, /"level":"fatal".*"msg":"last words"\}\n$/)
})

t.test('everything that was logged is out after a stop', async (t) => {
  const { child, get } = await startChild(t, 'pipe')
  const output = readAll(child.stdout)
  await get('/')

  t.equal(await stop(child), 0)

  t.match(await output, /"msg":"GET \/ completed in/)
})

t.test('standard output may be a file', async (t) => {
  const path = join(t.testdir(), 'out.log')
  const fd = openSync(path, 'a')
  const { child, get } = await startChild(t, fd)
  closeSync(fd)
  await get('/')

  t.equal(await stop(child), 0)

  t.match(readFileSync(path, 'utf8'), /"msg":"GET \/ completed in/)
})

t.test(
  'a service whose log disk is full keeps serving and says so once',
  { skip: process.platform !== 'linux' },
  async (t) => {
    const fd = openSync('/dev/full', 'a')
    const { child, get } = await startChild(t, fd)
    closeSync(fd)
    const errors = readAll(child.stderr)

    for (const path of ['/', '/flood?lines=10000', '/']) t.equal((await get(path)).status, 200)

    t.equal(await stop(child), 0)
    t.equal((await errors).match(/The log cannot be written: ENOSPC/g)?.length, 1)
  }
)
