import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import Fastify from 'fastify'
import { ReplyError } from 'ioredis'
import t, { type Test } from 'tap'
import { healthPlugin } from '../../../plugins/health/index.ts'
import { metricsPlugin } from '../../../plugins/metrics/index.ts'
import { closeRedis, createRedis, type RedisOptions, redisPlugin } from '../../../plugins/redis/index.ts'
import { untilClosed } from './load.ts'

const url = process.env.REDIS_URL ?? 'redis://127.0.0.1:6379'

t.test('the service gets a client that is ready, with a prefix, and a closed guard', async (t) => {
  const prefix = `test:${randomUUID()}:`
  const app = await setUp(t, { prefix })
  t.equal(app.redis.status, 'ready')
  t.equal(app.redisGuard.state, 'closed')
  await app.redisGuard.call((client) => client.set('key', 'value', 'PX', 5000))
  t.equal(await app.redis.get('key'), 'value')

  const other = await setUp(t, {})
  t.equal(await other.redis.get(`${prefix}key`), 'value')
})

t.test('commands sent at once share a round trip and keep their own answers', async (t) => {
  const app = await setUp(t, {})
  const texts = Array.from({ length: 200 }, (_, index) => `text ${index}`)
  t.same(await Promise.all(texts.map((text) => app.redisGuard.call((client) => client.echo(text)))), texts)
})

t.test('errors of the caller pass through the guard as ioredis made them', async (t) => {
  const app = await setUp(t, {})
  const key = `test:${randomUUID()}`
  await app.redis.set(key, 'text', 'PX', 5000)
  const thrown = await app.redisGuard.call((client) => client.lpush(key, 'x')).catch((error) => error)
  t.ok(thrown instanceof ReplyError)
  t.match(thrown.message, /^WRONGTYPE/)
  await t.rejects(
    app.redisGuard.call((client) => client.eval('return redis.error_reply("MINE words")', 0)),
    {
      message: /^MINE words/
    }
  )
  t.match(app.redisGuard.stats(), { failures: 0, opened: 0 })
})

t.test('closing the service ends the connection', async (t) => {
  const app = await setUp(t, {})
  const ended = once(app.redis, 'end')
  await app.close()
  await ended
  await t.rejects(
    app.redisGuard.call((client) => client.ping()),
    { code: 'REDIS_UNAVAILABLE' }
  )
})

t.test('a client that was handed in is used and never closed', async (t) => {
  const client = createRedis({ url })
  t.teardown(() => closeRedis(client))
  const app = await setUp(t, { client, url: undefined })
  t.equal(app.redis, client)
  await app.close()
  t.equal(await client.ping(), 'PONG')
})

t.test('health and metrics tell how Redis is', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(healthPlugin)
  await app.register(metricsPlugin)
  await app.register(redisPlugin, { url })

  const health = await app.inject('/health/ready')
  t.match(health.json(), { status: 'ok', checks: { redis: 'ok' } })
  const metrics = await app.inject('/metrics')
  for (const line of ['redis_up 1', 'redis_breaker_open 0', 'redis_failures_total 0', 'redis_outages_total 0']) {
    t.ok(metrics.body.split('\n').includes(line), line)
  }
})

t.test('lazy: the start does not connect, the first call does', async (t) => {
  const app = await setUp(t, { lazy: true })
  t.equal(app.redis.status, 'wait')
  await t.rejects(
    app.redisGuard.call((client) => client.ping()),
    { code: 'REDIS_UNAVAILABLE' }
  )
  await untilClosed(app.redisGuard)
  t.equal(await app.redisGuard.call((client) => client.ping()), 'PONG')
})

async function setUp(t: Test, options: RedisOptions) {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(redisPlugin, { url, ...options })
  return app
}
