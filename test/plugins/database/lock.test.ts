import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { acquireLock } from '../../../plugins/database/lock.ts'

const lockModule = new URL('../../../plugins/database/lock.ts', import.meta.url).href

/** Starts a process that tries to take the lock, says what came of it, and then lives on. */
async function startRival(t: Test, path: string) {
  const code = `
    import { acquireLock } from '${lockModule}'
    const outcome = await acquireLock(${JSON.stringify(path)}, 'It').then(() => 'taken', (error) => error.message)
    process.stdout.write(outcome)
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', code], {
    stdio: ['ignore', 'pipe', 'inherit']
  })
  const kill = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  t.teardown(kill)
  const [outcome] = await once(child.stdout, 'data')
  return { pid: child.pid, outcome: String(outcome), kill }
}

const lockPath = (t: Test) => join(t.testdir(), 'data.lock')
const filesBeside = (path: string) => readdirSync(join(path, '..'))

t.test('a lock is refused while its process lives, and names it', async (t) => {
  const path = lockPath(t)
  const rival = await startRival(t, path)
  t.equal(rival.outcome, 'taken')
  await t.rejects(acquireLock(path, 'The database'), { message: `The database is in use by process ${rival.pid}` })
  t.same(filesBeside(path), ['data.lock'])
})

t.test('the lock of a killed process is taken over', async (t) => {
  const path = lockPath(t)
  const rival = await startRival(t, path)
  await rival.kill()
  const release = await acquireLock(path, 'It')
  t.equal(JSON.parse(readFileSync(path, 'utf8')).pid, process.pid)
  t.same(filesBeside(path), ['data.lock'])
  await release()
  t.same(filesBeside(path), [])
})

t.test('a second lock in one process is refused, and a released one is free again', async (t) => {
  const path = lockPath(t)
  const release = await acquireLock(path, 'It')
  await t.rejects(acquireLock(path, 'It'), { message: `It is in use by process ${process.pid}` })
  await release()
  const releaseAgain = await acquireLock(path, 'It')
  await releaseAgain()
})

t.test('a pid that was given to another process does not keep a lock', async (t) => {
  const path = lockPath(t)
  const rival = await startRival(t, join(t.testdirName, 'other.lock'))
  writeFileSync(path, JSON.stringify({ id: 'dead', pid: rival.pid, started: 'long ago' }))
  await t.resolves(acquireLock(path, 'It'))
})

t.test(
  'who has ended keeps no lock, though nobody has waited for them',
  { skip: process.platform !== 'linux' },
  async (t) => {
    const path = lockPath(t)
    // The shell becomes a program that never asks after the child it began as.
    const parent = spawn('sh', ['-c', 'sleep 0.2 & echo $!; exec sleep 60'], { stdio: ['ignore', 'pipe', 'inherit'] })
    t.teardown(() => parent.kill())
    const [line] = await once(parent.stdout, 'data')
    const fields = () =>
      readFileSync(`/proc/${Number(line)}/stat`, 'utf8')
        .replace(/^.*\) /, '')
        .split(' ')
    writeFileSync(path, JSON.stringify({ id: 'ended', pid: Number(line), started: fields()[19] }))
    await t.rejects(acquireLock(path, 'It'), { message: `It is in use by process ${Number(line)}` })
    while (fields()[0] !== 'Z') await sleep(20)
    await t.resolves(acquireLock(path, 'It'))
  }
)

t.test('our own pid in the lock of a dead process does not keep it', async (t) => {
  const path = lockPath(t)
  writeFileSync(path, JSON.stringify({ id: 'dead', pid: process.pid, started: null }))
  await t.resolves(acquireLock(path, 'It'))
})

t.test('of many that find a dead lock at once exactly one takes it over', async (t) => {
  const path = lockPath(t)
  for (let round = 0; round < 20; round++) {
    writeFileSync(path, JSON.stringify({ id: `dead-${round}`, pid: 2 ** 22 + 1, started: '1' }))
    const attempts = await Promise.allSettled(Array.from({ length: 8 }, () => acquireLock(path, 'It')))
    const taken = attempts.filter((attempt) => attempt.status === 'fulfilled')
    t.equal(taken.length, 1)
    t.same(filesBeside(path), ['data.lock'])
    for (const { value: release } of taken) await release()
  }
})

t.test('a starter that died while taking over blocks nobody', async (t) => {
  const path = lockPath(t)
  const dead = 2 ** 22 + 1
  writeFileSync(path, JSON.stringify({ id: 'first', pid: dead, started: '1' }))
  writeFileSync(`${path}.first`, JSON.stringify({ id: 'second', pid: dead, started: '1' }))
  const release = await acquireLock(path, 'It')
  t.same(filesBeside(path), ['data.lock'])
  await release()
})

t.test('a lock file that cannot be read is named, not removed', async (t) => {
  const path = lockPath(t)
  writeFileSync(path, 'not ours')
  await t.rejects(acquireLock(path, 'It'), {
    message: `The lock file ${path} cannot be read; remove it when no process uses the data`
  })
  t.equal(readFileSync(path, 'utf8'), 'not ours')
})
