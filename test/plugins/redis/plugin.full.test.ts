import { spawn } from 'node:child_process'
import { once } from 'node:events'
import Fastify from 'fastify'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { healthPlugin } from '../../../plugins/health/index.ts'
import { metricsPlugin } from '../../../plugins/metrics/index.ts'
import { createRedis, guard, type RedisOptions, redisPlugin } from '../../../plugins/redis/index.ts'
import { startRedis } from '../../support/own-redis.ts'
import { tcpProxy } from '../../support/tcp-proxy.ts'
import { untilClosed } from './load.ts'

t.test('without Redis the service starts at once, says so in one line, and attaches by itself later', async (t) => {
  const own = await startRedis(t, { start: false })
  const { app, lines, startMs } = await setUp(t, { url: own.url })
  t.comment(`started after ${startMs} ms`)
  t.ok(startMs < 1000)
  t.match(lines, [{ level: 40, msg: 'Redis is unavailable, going on without it', reason: /ECONNREFUSED/ }])
  t.match((await app.inject('/health/ready')).json(), { status: 'degraded', checks: { redis: 'unavailable' } })
  t.match((await app.inject('/metrics')).body, /^redis_breaker_open 1$/m)
  lines.length = 0

  await own.start()
  const startedAt = performance.now()
  await untilClosed(app.redisGuard)
  const attachedMs = Math.round(performance.now() - startedAt)
  t.comment(`attached after ${attachedMs} ms`)
  t.ok(attachedMs <= 2000)
  t.equal(await app.redis.ping(), 'PONG')
  t.match(lines, [{ level: 30, msg: 'Redis is available', outage_ms: Number }])
})

t.test(
  'a Redis that takes connections but never answers holds the start up no longer than the connect deadline',
  async (t) => {
    const own = await startRedis(t)
    own.freeze()
    const { app, startMs } = await setUp(t, { url: own.url, connectTimeoutMs: 300 })
    t.comment(`started after ${startMs} ms`)
    t.ok(startMs < 500)
    own.thaw()
    await untilClosed(app.redisGuard)
  }
)

t.test('an outage is told by one line at its beginning and one at its end', async (t) => {
  const own = await startRedis(t)
  const { app, lines } = await setUp(t, { url: own.url })
  t.same(lines, [])
  const opened = new Promise<unknown>((resolve) => app.redisGuard.once('open', resolve))
  await own.kill()
  await opened
  await own.start()
  await untilClosed(app.redisGuard)
  t.match(
    lines.map(({ level, msg }) => [level, msg]),
    [
      [40, 'Redis is unavailable, going on without it'],
      [30, 'Redis is available']
    ]
  )
  t.match((await app.inject('/metrics')).body, /^redis_outages_total 1$/m)
})

t.test('a client of createRedis without the plugin logs an outage once, too', async (t) => {
  const own = await startRedis(t)
  const lines: string[] = []
  const log = { warn: (_: object, text: string) => lines.push(text), info: (text: string) => lines.push(text) }
  // The logger has more overloads than are used.
  const client = createRedis({ url: own.url, log: log as never })
  t.teardown(() => client.disconnect())
  await once(client, 'ready')
  await own.kill()
  for (let attempt = 0; attempt < 3; attempt++) await once(client, 'error')
  await own.start()
  await once(client, 'ready')
  t.same(lines, ['Redis connection failed; trying again until it works', 'Redis connection is back'])
})

t.test('TLS: the server is checked', async (t) => {
  const own = await startRedis(t, { tls: true, password: 'p@ss' })
  const trusted = await setUp(t, { url: own.url, tls: { ca: own.ca } })
  t.equal(await trusted.app.redis.ping(), 'PONG')
  const { app } = await setUp(t, { url: own.url })
  t.equal(app.redisGuard.state, 'open')
  t.match(app.redisGuard.reason?.message, /self-signed certificate/)
})

t.test('a wrong password is an outage with its reason in the log, and the password is not', async (t) => {
  const own = await startRedis(t, { password: 'right' })
  const { app, lines } = await setUp(t, { url: `redis://:wrong-secret@127.0.0.1:${own.port}` })
  t.equal(app.redisGuard.state, 'open')
  t.match(lines, [{ level: 40, reason: /^WRONGPASS/ }])
  t.notMatch(JSON.stringify(lines), /wrong-secret/)
})

t.test('what an outage held up is in Redis before the breaker closes', async (t) => {
  const own = await startRedis(t)
  const { app } = await setUp(t, { url: own.url })
  const pending = new Set<string>()
  app.redisGuard.beforeClose({
    isPending: () => pending.size > 0,
    flush: async (client) => {
      for (const key of pending) {
        await client.set(key, 'new')
        pending.delete(key)
      }
    }
  })
  await own.kill()
  await app.redisGuard.call((client) => client.set('key', 'new')).catch(() => pending.add('key'))
  const atClosing = new Promise((resolve) => app.redisGuard.once('close', () => resolve(own.command('GET', 'key'))))
  await own.start()
  t.equal(await atClosing, 'new')
})

t.test('closing does not wait for a Redis that is frozen', async (t) => {
  const own = await startRedis(t)
  const { app } = await setUp(t, { url: own.url })
  own.freeze()
  const startedAt = performance.now()
  await app.close()
  const closedMs = Math.round(performance.now() - startedAt)
  t.comment(`closed after ${closedMs} ms`)
  t.ok(closedMs <= 1000)
})

for (const state of ['up', 'frozen', 'gone'] as const) {
  t.test(`after closing, the process ends by itself: Redis is ${state}`, async (t) => {
    const own = await startRedis(t)
    const program = `
      import Fastify from 'fastify'
      import { redisPlugin } from '${import.meta.resolve('../../../plugins/redis/index.ts')}'
      const app = Fastify()
      await app.register(redisPlugin, { url: '${own.url}' })
      process.stdout.write('ready')
      process.stdin.once('data', async () => {
        await app.redisGuard.call((client) => client.ping()).catch(() => undefined)
        await app.close()
        process.stdout.write('closed')
        process.stdin.destroy()
      })`
    const child = spawn(process.execPath, ['--input-type=module', '--eval', program], { cwd: import.meta.dirname })
    t.teardown(() => child.kill('SIGKILL'))
    t.equal(String(await once(child.stdout, 'data')), 'ready')
    if (state === 'frozen') own.freeze()
    if (state === 'gone') await own.kill()
    const exited = once(child, 'exit')
    child.stdin.write('close')
    await once(child.stdout, 'data')
    const closedAt = performance.now()
    t.same(await exited, [0, null])
    const exitMs = Math.round(performance.now() - closedAt)
    t.comment(`ended ${exitMs} ms after closing`)
    t.ok(exitMs <= 1000)
  })
}

t.test('a guard alone bounds the calls of any client, also of one without deadlines', async (t) => {
  const own = await startRedis(t)
  const proxy = await tcpProxy(t, own.port)
  const client = new Redis(proxy.port, { commandTimeout: undefined })
  t.teardown(() => client.disconnect())
  const redisGuard = guard(client, { deadlineMs: 50 })
  t.teardown(redisGuard.stop)
  await untilClosed(redisGuard)
  proxy.drop()
  const startedAt = performance.now()
  await t.rejects(
    redisGuard.call((given) => given.get('key')),
    { code: 'REDIS_UNAVAILABLE' }
  )
  t.ok(performance.now() - startedAt < 500)
})

async function setUp(t: Test, options: RedisOptions) {
  const lines: Array<Record<string, unknown>> = []
  const app = Fastify({ logger: { level: 'info', stream: { write: (line) => lines.push(JSON.parse(line)) } } })
  t.teardown(() => app.close())
  await app.register(healthPlugin, { cacheMs: 1 })
  await app.register(metricsPlugin)
  const startedAt = performance.now()
  await app.register(redisPlugin, options)
  return { app, lines, startMs: Math.round(performance.now() - startedAt) }
}
