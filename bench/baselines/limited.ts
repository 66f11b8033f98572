import Fastify from 'fastify'
import rateLimit from '../../plugins/rate-limit/index.ts'
import redis from '../../plugins/redis/index.ts'
import { trustProxy } from '../../src/trust-proxy.ts'

// Nothing but the limiter: the quotas of an address, a service and a user, in two round trips to Redis.
const { REDIS_URL, REDIS_PREFIX = '', PORT, LIMIT_MAX = '1000000000' } = process.env
const seconds = 3600
const app = Fastify({ trustProxy: trustProxy(['loopback']) })
await app.register(redis, { url: REDIS_URL, prefix: `${REDIS_PREFIX}${PORT}:`, commandTimeoutMs: 10_000 })
await app.register(rateLimit, {
  guard: app.redisGuard,
  perAddress: { max: 1_000_000_000, seconds },
  perUser: { max: 1_000_000_000, seconds },
  identify: ({ headers }) => ({ key: `user:${headers['x-user-id']}` })
})
app.get('/', { config: { limit: { service: 'hello', max: Number(LIMIT_MAX), seconds } } }, async ({ ip }) => ({
  hello: ip
}))
await app.listen({ host: '127.0.0.1', port: Number(PORT) })
