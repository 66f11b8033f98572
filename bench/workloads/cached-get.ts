import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import { tagKey } from '../../plugins/cache/versions.ts'
import { httpRequest } from '../fixture.ts'
import type { Workload } from '../workload.ts'

/** `GET /api/v1/items` of 10 000 signed-in users: each has an answer of their own in Redis. */
const cachedGet: Workload = {
  baseline: 'cached',
  goal: 0.7,
  hooks: 'log, request id, timing, headers, metrics, limits, auth, validation, cache',
  requests: ({ callers }) =>
    callers.map(({ id, token }, n) =>
      httpRequest(n, '/api/v1/items', { Authorization: `Bearer ${token}`, 'X-User-Id': id })
    ),
  // They live for a minute, those that were made together end together.
  renewal: {
    everySeconds: 30,
    async drop({ env }) {
      const redis = new Redis(env.REDIS_URL ?? '', { keyPrefix: env.REDIS_PREFIX ?? '' })
      await redis.set(`cache:${tagKey('items')}`, randomUUID(), 'XX').finally(() => redis.disconnect())
    }
  }
}

export default cachedGet
