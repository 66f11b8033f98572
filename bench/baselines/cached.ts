import Fastify from 'fastify'
import { Redis } from 'ioredis'

// One Redis GET for each user, and its text as it is: no authentication, no tags, no look at the request.
const body = JSON.stringify({ status: 'success', message: 'Items', data: [], total_count: 0, has_more: false, page: 1 })

const redis = new Redis(process.env.REDIS_URL ?? '', { keyPrefix: `${process.env.REDIS_PREFIX}baseline:` })
const app = Fastify()
app.get('/api/v1/items', async (request, reply) => {
  const key = String(request.headers['x-user-id'])
  const text = await redis.get(key)
  if (text === null) await redis.set(key, body, 'EX', 600)
  return reply.type('application/json; charset=utf-8').send(text ?? body)
})
await app.listen({ host: '127.0.0.1', port: Number(process.env.PORT) })
