import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { closeRedis, createRedis, type Guard, guard } from '../../../plugins/redis/index.ts'
import { startRedis } from '../../support/own-redis.ts'
import { tcpProxy } from '../../support/tcp-proxy.ts'
import { startLoad, untilClosed } from './load.ts'

t.setTimeout(120_000)

const deadlineMs = 100
/** How exact timers are; what a busy machine adds is measured. */
const slackMs = 30

t.test('Redis is killed and comes back', async (t) => {
  const own = await startRedis(t)
  const redisGuard = await connect(t, own.url)
  await survives(t, redisGuard, { begin: own.kill, end: own.start, opensWithinMs: 50 })
})

t.test('Redis is killed for long: it is still found again at once', async (t) => {
  const own = await startRedis(t)
  const redisGuard = await connect(t, own.url)
  await survives(t, redisGuard, { begin: own.kill, end: own.start, opensWithinMs: 50, outageMs: 6000 })
})

t.test('Redis freezes and thaws', async (t) => {
  const own = await startRedis(t)
  const redisGuard = await connect(t, own.url)
  await survives(t, redisGuard, { begin: own.freeze, end: own.thaw, opensWithinMs: 2 * deadlineMs, outageMs: 2500 })
})

t.test('Redis answers 200 ms late', async (t) => {
  const own = await startRedis(t)
  const proxy = await tcpProxy(t, own.port)
  const redisGuard = await connect(t, `redis://127.0.0.1:${proxy.port}`)
  const [begin, end] = [() => proxy.delay(200), () => proxy.delay(0)]
  await survives(t, redisGuard, { begin, end, opensWithinMs: 2 * deadlineMs })
})

t.test('the network swallows every byte', async (t) => {
  const own = await startRedis(t)
  const proxy = await tcpProxy(t, own.port)
  const redisGuard = await connect(t, `redis://127.0.0.1:${proxy.port}`)
  const [begin, end] = [() => proxy.drop(), () => proxy.drop(false)]
  await survives(t, redisGuard, { begin, end, opensWithinMs: 2 * deadlineMs, outageMs: 2500 })
})

t.test('the connection is reset', async (t) => {
  const own = await startRedis(t)
  const proxy = await tcpProxy(t, own.port)
  const redisGuard = await connect(t, `redis://127.0.0.1:${proxy.port}`)
  await survives(t, redisGuard, { begin: proxy.reset, end: () => undefined, opensWithinMs: 50, outageMs: 50 })
})

t.test('Redis becomes a replica: READONLY', async (t) => {
  const own = await startRedis(t)
  const redisGuard = await connect(t, own.url)
  const begin = () => own.command('REPLICAOF', '127.0.0.1', 1)
  const end = () => own.command('REPLICAOF', 'NO', 'ONE')
  await survives(t, redisGuard, { begin, end, opensWithinMs: 100 })
})

t.test('Redis is full: OOM', async (t) => {
  const own = await startRedis(t)
  const redisGuard = await connect(t, own.url)
  const begin = () => own.command('CONFIG', 'SET', 'maxmemory', 1)
  const end = () => own.command('CONFIG', 'SET', 'maxmemory', 0)
  await survives(t, redisGuard, { begin, end, opensWithinMs: 100 })
  t.equal(redisGuard.stats().opened, 1, 'it stays open while Redis is full: PING would have closed it again and again')
})

t.test('Redis restarts and loads its data for two seconds: LOADING', async (t) => {
  const args = ['--key-load-delay', '1000', '--loading-process-events-interval-bytes', '1024']
  const own = await startRedis(t, { args })
  const redisGuard = await connect(t, own.url)
  await redisGuard.client.mset(
    Object.fromEntries(Array.from({ length: 2000 }, (_, key) => [`key:${key}`, 'x'.repeat(100)]))
  )
  await own.command('SAVE')
  const begin = async () => {
    await own.restart()
    await t.rejects(own.command('GET', 'key:1'), { message: /^LOADING/ })
  }
  const end = async () => {
    while (String(await own.command('INFO', 'persistence')).includes('\nloading:1')) await sleep(10)
  }
  await survives(t, redisGuard, { begin, end, opensWithinMs: 50, outageMs: 0 })
})

t.test('Redis is flushed, data and scripts: that is no outage', async (t) => {
  const own = await startRedis(t)
  const redisGuard = await connect(t, own.url)
  const sha = String(await own.command('SCRIPT', 'LOAD', 'return 1'))
  await redisGuard.call((client) => client.evalsha(sha, 0))
  await own.command('FLUSHALL')
  await own.command('SCRIPT', 'FLUSH')
  t.equal(await redisGuard.call(increment), 1)
  await t.rejects(
    redisGuard.call((client) => client.evalsha(sha, 0)),
    { message: /^NOSCRIPT/ },
    'the caller gets to know'
  )
  t.match(redisGuard.stats(), { failures: 0, opened: 0 })
})

t.test('what was in flight when the connection broke is never sent again', async (t) => {
  const own = await startRedis(t)
  const redisGuard = await connect(t, own.url)
  own.freeze()
  await t.rejects(redisGuard.call(increment), { code: 'REDIS_UNAVAILABLE' })
  await own.restart()
  await untilClosed(redisGuard)
  t.equal(await redisGuard.client.get('counter'), null)
})

interface Fault {
  begin: () => unknown
  end: () => unknown
  /** How soon the breaker has to be open. */
  opensWithinMs: number
  outageMs?: number
}

/** The promise of the guard: bounded waiting, one kind of error, refusing at once while out, back within two seconds. */
async function survives(
  t: Test,
  redisGuard: Guard,
  { begin, end, opensWithinMs, outageMs = 1500 }: Fault
): Promise<void> {
  const load = startLoad(t, redisGuard, increment)
  await sleep(300)
  t.equal(load.refused, 0, 'all is well before')

  let openedAt = 0
  redisGuard.once('open', () => {
    openedAt = performance.now()
  })
  const beganAt = performance.now()
  await begin()
  const isOutAt = performance.now()
  await sleep(outageMs)
  await end()
  const endedAt = performance.now()
  await untilClosed(redisGuard)
  const recoveredMs = Math.round(performance.now() - endedAt)
  const before = { ...load }
  await sleep(300)
  await load.stop()

  t.comment(
    `opened after ${Math.round(openedAt - beganAt)} ms, recovered after ${recoveredMs} ms, slowest call ${load.slowestMs} ms (lag ${load.lagMs}), ` +
      `${load.served} served, ${load.refused} refused, ${JSON.stringify(redisGuard.stats())}`
  )
  t.ok(
    openedAt > 0 && openedAt - isOutAt <= opensWithinMs + slackMs + load.lagMs,
    `the breaker opens within ${opensWithinMs} ms`
  )
  t.ok(recoveredMs <= 2000, 'it recovers within two seconds')
  t.ok(load.slowestMs <= deadlineMs + slackMs + load.lagMs, 'no call waits longer than the deadline')
  t.same(load.errors, [], 'nothing but RedisUnavailable is thrown')
  t.ok(load.served > before.served, 'calls are served again')
  t.equal(load.refused, before.refused, 'and none is refused any more')
}

async function connect(t: Test, url: string): Promise<Guard> {
  const client = createRedis({ url, prefix: 'faults:', commandTimeoutMs: 2 * deadlineMs })
  // `url` makes it a single server.
  const redisGuard = guard(client as Redis, { deadlineMs })
  t.teardown(async () => {
    redisGuard.stop()
    await closeRedis(client)
  })
  await untilClosed(redisGuard)
  return redisGuard
}

function increment(client: Redis): Promise<number> {
  return client.incr('counter')
}
