import { setTimeout as sleep } from 'node:timers/promises'
import Fastify from 'fastify'
import t, { type Test } from 'tap'
import { type RedisOptions, redisPlugin } from '../../../plugins/redis/index.ts'
import { type OwnRedis, startRedis } from '../../support/own-redis.ts'
import { tcpProxy } from '../../support/tcp-proxy.ts'
import { untilClosed } from '../redis/load.ts'
import { call, startHost } from './host.ts'
import { startTraffic } from './traffic.ts'

t.setTimeout(300_000)

const deadlineMs = 100
/** How exact timers are; what a busy machine adds is measured. */
const slackMs = 30

t.test('L08: Redis is killed and comes back', async (t) => {
  const own = await startRedis(t)
  await survives(t, own, { begin: own.kill, end: own.start })
})

t.test('L08: Redis freezes and thaws', async (t) => {
  const own = await startRedis(t)
  await survives(t, own, { begin: own.freeze, end: own.thaw })
})

t.test('L08: Redis answers 200 ms late', async (t) => {
  const own = await startRedis(t)
  const proxy = await tcpProxy(t, own.port)
  const fault = { begin: () => proxy.delay(200), end: () => proxy.delay(0) }
  await survives(t, own, fault, { url: `redis://127.0.0.1:${proxy.port}` })
})

t.test('L08: Redis becomes a replica: READONLY', async (t) => {
  const own = await startRedis(t)
  const begin = () => own.command('REPLICAOF', '127.0.0.1', 1)
  await survives(t, own, { begin, end: () => own.command('REPLICAOF', 'NO', 'ONE') })
})

t.test('L08: Redis is full: OOM', async (t) => {
  const own = await startRedis(t)
  const begin = () => own.command('CONFIG', 'SET', 'maxmemory', 1)
  await survives(t, own, { begin, end: () => own.command('CONFIG', 'SET', 'maxmemory', 0) })
})

t.test('L08: Redis is flushed: limits begin anew, and no call fails', async (t) => {
  const own = await startRedis(t)
  const { app } = await limited(t, { url: own.url })
  t.same(await call(app, as('ann'), 6), [200, 200, 200, 200, 200, 429])
  await own.command('FLUSHALL')
  // So long a refusal is remembered.
  await sleep(1000)
  t.same(await call(app, as('ann'), 6), [200, 200, 200, 200, 200, 429])
})

t.test('L08: SCRIPT FLUSH does not switch the limiter off', async (t) => {
  const own = await startRedis(t)
  const { app, guard } = await limited(t, { url: own.url })
  t.same(await call(app, as('ann'), 2), [200, 200])
  await own.command('SCRIPT', 'FLUSH')
  const answers = await Promise.all(Array.from({ length: 50 }, () => app.inject(as('ann'))))
  t.equal(answers.filter(({ statusCode }) => statusCode === 200).length, 3, 'what was used before is not forgotten')
  t.match(guard.stats(), { failures: 0, opened: 0 })
})

t.test('L08: Redis is absent at the start and comes later', async (t) => {
  const own = await startRedis(t, { start: false })
  const { app, guard, lines } = await limited(t, { url: own.url })
  t.same(await call(app, as('ann'), 6), [200, 200, 200, 200, 200, 429])
  await own.start()
  const startedAt = performance.now()
  await untilClosed(guard)
  t.ok(performance.now() - startedAt <= 2000)
  t.same(await call(app, as('bob'), 6), [200, 200, 200, 200, 200, 429])
  t.ok(await own.command('EXISTS', 'rl:{user:bob}:note_read'), 'counted in Redis')
  t.same(changesIn(lines), [
    'Rate limits are counted in the memory of this process',
    'Rate limits are counted in Redis again'
  ])
})

interface Fault {
  begin(): unknown
  end(): unknown
}

const as = (user: string) => ({ url: '/notes', headers: { 'x-user': user } })

/** Nothing fails, nobody waits for long, limits bite before, during and after, and the service finds back by itself. */
async function survives(t: Test, own: OwnRedis, { begin, end }: Fault, options: RedisOptions = { url: own.url }) {
  const { app, guard, lines } = await limited(t, options)
  t.same(await call(app, as('before'), 6), [200, 200, 200, 200, 200, 429])
  const traffic = startTraffic(t, app)
  await sleep(300)
  const opened = new Promise((resolve) => guard.once('open', resolve))
  await begin()
  await opened
  t.same(await call(app, as('during'), 6), [200, 200, 200, 200, 200, 429])
  await sleep(1000)
  await end()
  const endedAt = performance.now()
  await untilClosed(guard)
  const recoveredMs = Math.round(performance.now() - endedAt)
  t.same(await call(app, as('after'), 6), [200, 200, 200, 200, 200, 429])
  t.ok(await own.command('EXISTS', 'rl:{user:after}:note_read'), 'counted in Redis again')
  await traffic.stop()

  const { slowestMs, lagMs, statuses } = traffic
  t.comment(
    `recovered after ${recoveredMs} ms, slowest call ${slowestMs} ms (lag ${lagMs}), ${JSON.stringify(statuses)}`
  )
  t.same(Object.keys(statuses), ['200'], 'every call of the others passed')
  t.ok(slowestMs <= deadlineMs + slackMs + lagMs, 'nobody waited longer than the command deadline')
  t.ok(recoveredMs <= 2000, 'it recovers within two seconds')
  t.same(changesIn(lines), [
    'Rate limits are counted in the memory of this process',
    'Rate limits are counted in Redis again'
  ])
}

const changesIn = (lines: Array<Record<string, unknown>>) =>
  lines.map(({ msg }) => String(msg)).filter((text) => text.startsWith('Rate limits'))

async function limited(t: Test, options: RedisOptions) {
  const connection = Fastify()
  t.teardown(() => connection.close())
  await connection.register(redisPlugin, { ...options, commandTimeoutMs: deadlineMs })
  const guard = connection.redisGuard
  const host = await startHost(t, { guard, perAddress: { max: 1_000_000, seconds: 3600 } })
  host.app.get('/notes', { config: { limit: { service: 'note_read', max: 5, seconds: 60 } } }, async () => 'ok')
  await host.app.ready()
  return { ...host, guard }
}
