import Fastify from 'fastify'
import { rateLimitPlugin } from '../../../plugins/rate-limit/index.ts'
import { redisPlugin } from '../../../plugins/redis/index.ts'

// A service as a process of its own: several of them on one Redis count together.
const [url, prefix = ''] = process.argv.slice(2)
const app = Fastify({ trustProxy: 'loopback' })
await app.register(redisPlugin, { url, prefix, commandTimeoutMs: 5000 })
await app.register(rateLimitPlugin, { guard: app.redisGuard, perAddress: { max: 1_000_000, seconds: 3600 } })
app.get('/notes', { config: { limit: { service: 'note_read', max: 5, seconds: 60 } } }, async () => 'ok')
process.stdout.write(await app.listen({ host: '127.0.0.1', port: 0 }))
