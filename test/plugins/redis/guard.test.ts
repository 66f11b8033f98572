import { stat } from 'node:fs/promises'
import { ReplyError } from 'ioredis'
import t from 'tap'
import { RedisUnavailable } from '../../../plugins/redis/index.ts'
import { answer, guardedClient, never } from './guarded-client.ts'

t.test('a call gets the client and gives back what it resolves to', async (t) => {
  const { client, redisGuard } = guardedClient()
  t.equal(await redisGuard.call(async (given) => given), client)
  t.same(redisGuard.stats(), { calls: 1, failures: 0, timeouts: 0, opened: 0 })
})

t.test('a call that nobody answers ends at the deadline with 503 and Retry-After', async (t) => {
  const { redisGuard } = guardedClient({ deadlineMs: 30 })
  const startedAt = performance.now()
  await t.rejects(redisGuard.call(never), {
    code: 'REDIS_UNAVAILABLE',
    statusCode: 503,
    message: 'Service temporarily unavailable',
    headers: { 'Retry-After': '1' },
    cause: { message: 'No answer within 30 ms' }
  })
  t.ok(performance.now() - startedAt >= 29)
  t.match(redisGuard.stats(), { failures: 1, timeouts: 1 })
})

t.test('every call has its own deadline, also those that begin while others wait', async (t) => {
  const { redisGuard } = guardedClient({ deadlineMs: 600, maxFailures: 100 })
  const waits: number[] = []
  const wait = async () => {
    const startedAt = performance.now()
    await redisGuard.call(never).catch(() => waits.push(performance.now() - startedAt))
  }
  const first = wait()
  await redisGuard.call(() => new Promise((resolve) => setTimeout(resolve, 300)))
  await Promise.all([first, wait(), wait()])
  t.equal(waits.length, 3)
  t.ok(
    waits.every((ms) => ms >= 599),
    `none ends early: ${waits.map(Math.round)}`
  )
})

t.test('once a call was late, none waits until a probe has been answered, which is no outage', async (t) => {
  const answered = Promise.withResolvers<void>()
  // Time enough for what comes before the probe is answered, also on a machine that stands still now and then.
  const { redisGuard } = guardedClient({ deadlineMs: 1000, probe: () => answered.promise })
  await t.rejects(redisGuard.call(never), { cause: { message: 'No answer within 1000 ms' } })
  const refused = redisGuard.call(answer).catch((error) => error)
  t.match(await Promise.race([refused, new Promise(setImmediate)]), { code: 'REDIS_UNAVAILABLE' })
  t.match(await refused, { cause: { message: 'No answer within 1000 ms' } })
  t.equal(redisGuard.state, 'closed')
  answered.resolve()
  await new Promise(setImmediate)
  t.equal(await redisGuard.call(answer), 'answer')
  t.same(redisGuard.stats(), { calls: 2, failures: 1, timeouts: 1, opened: 0 })
})

t.test('a late call and a late probe after it are an outage', async (t) => {
  const { redisGuard } = guardedClient({ deadlineMs: 10, probe: never })
  const opened = new Promise((resolve) => redisGuard.once('open', resolve))
  await t.rejects(redisGuard.call(never))
  const keepAlive = setInterval(() => undefined, 1000)
  t.match(await opened, { message: 'No answer within 10 ms' })
  clearInterval(keepAlive)
  t.equal(redisGuard.state, 'open')
})

t.test('an answer that came in while the event loop was busy is not called late', async (t) => {
  const { redisGuard } = guardedClient({ deadlineMs: 100 })
  // From here the loop goes on with the timers that are due, and only then looks for I/O.
  await new Promise(setImmediate)
  const call = redisGuard.call(() => stat(import.meta.filename))
  const busyUntil = performance.now() + 500
  while (performance.now() < busyUntil);
  t.ok((await call).isFile())
  t.equal(redisGuard.stats().timeouts, 0)
})

t.test('what a late call does afterwards is of no consequence', async (t) => {
  const { redisGuard } = guardedClient({ deadlineMs: 5 })
  const late = Promise.withResolvers<string>()
  await t.rejects(
    redisGuard.call(() => late.promise),
    { code: 'REDIS_UNAVAILABLE' }
  )
  // An unhandled rejection would fail this test.
  late.reject(new Error('Connection is closed.'))
  await new Promise(setImmediate)
  t.match(redisGuard.stats(), { failures: 1, timeouts: 1 })
})

t.test('errors of the caller pass unchanged and never open the breaker', async (t) => {
  const { redisGuard } = guardedClient()
  const errors = [
    new TypeError('x is not a function'),
    new ReplyError('WRONGTYPE Operation against a key holding the wrong kind of value'),
    new ReplyError('NOSCRIPT No matching script.'),
    new ReplyError('BUSYGROUP Consumer Group name already exists'),
    new DOMException('This operation was aborted', 'AbortError'),
    new ReplyError('ERR user_script:1: my own words script: 5a, on @user_script:1.'),
    new ReplyError('MY_OWN READONLY words'),
    new Error('All keys in the pipeline should belong to the same slots allocation group')
  ]
  for (const error of [...errors, ...errors]) {
    const thrown = await redisGuard.call(() => Promise.reject(error)).catch((reason) => reason)
    t.equal(thrown, error)
  }
  t.equal(redisGuard.state, 'closed')
  t.equal(redisGuard.stats().failures, 0)
})

t.test('what throws before it returns a promise rejects', async (t) => {
  const { redisGuard } = guardedClient()
  const broken = () => {
    throw new TypeError('broken')
  }
  await t.rejects(redisGuard.call(broken), { name: 'TypeError', message: 'broken' })
})

t.test('the command and its arguments are not enumerable on an error, so that no log shows them', async (t) => {
  const { redisGuard } = guardedClient()
  const error = Object.assign(new ReplyError('WRONGTYPE wrong'), { command: { name: 'set', args: ['key', 'secret'] } })
  const thrown = await redisGuard.call(() => Promise.reject(error)).catch((reason) => reason)
  t.notOk(Object.keys(thrown).includes('command'))
  t.equal(thrown.command.name, 'set')
})

for (const error of [
  new ReplyError("READONLY You can't write against a read only replica."),
  new ReplyError("OOM command not allowed when used memory > 'maxmemory'."),
  new ReplyError('ERR Error running script (call to f_1): @user_script:1: @user_script: 1: -OOM command not allowed'),
  new ReplyError('LOADING Redis is loading the dataset in memory'),
  new ReplyError('CLUSTERDOWN The cluster is down'),
  new ReplyError('MASTERDOWN Link with MASTER is down'),
  new ReplyError('BUSY Redis is busy running a script.'),
  new ReplyError('MISCONF Redis is configured to save RDB snapshots, but is unable to persist to disk.'),
  new ReplyError('NOREPLICAS Not enough good replicas to write.'),
  new ReplyError('NOAUTH Authentication required.'),
  new Error('Connection is closed.'),
  new Error('Command timed out'),
  new Error('Command aborted due to connection close'),
  new ReplyError('MOVED 3507 127.0.0.1:7001'),
  new Error("Stream isn't writeable and enableOfflineQueue options is false"),
  new Error("Cluster isn't ready and enableOfflineQueue options is false"),
  new Error('Too many Cluster redirections. Last error: ReplyError: MOVED 1 127.0.0.1:1'),
  Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET', syscall: 'read' }),
  Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED', syscall: 'connect' })
]) {
  t.test(`an outage becomes RedisUnavailable: ${error.message}`, async (t) => {
    const { redisGuard } = guardedClient()
    const thrown = await redisGuard.call(() => Promise.reject(error)).catch((reason) => reason)
    t.ok(thrown instanceof RedisUnavailable)
    t.equal(thrown.cause, error)
    t.equal(redisGuard.stats().failures, 1)
  })
}

t.test('a stopped guard refuses and lets go of its client', async (t) => {
  const { client, redisGuard } = guardedClient()
  redisGuard.stop()
  await t.rejects(redisGuard.call(answer), { code: 'REDIS_UNAVAILABLE' })
  t.same(client.eventNames(), [])
})
