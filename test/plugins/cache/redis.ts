import type { Redis } from 'ioredis'
import type { Test } from 'tap'
import { type CacheStore, redisStore } from '../../../plugins/cache/index.ts'
import { closeRedis, createRedis, type Guard, guard, type RedisClientOptions } from '../../../plugins/redis/index.ts'

export interface Connected {
  client: Redis
  redisGuard: Guard
  store: CacheStore
}

/** A client of its own with guard and store, gone with the test. */
export async function connect(t: Pick<Test, 'teardown'>, options: RedisClientOptions): Promise<Connected> {
  // A Cluster has the commands of a Redis.
  const client = createRedis({ commandTimeoutMs: 2000, ...options }) as Redis
  const redisGuard = guard(client, { deadlineMs: options.commandTimeoutMs ?? 1000 })
  t.teardown(async () => {
    redisGuard.stop()
    await closeRedis(client)
  })
  await untilClosed(redisGuard)
  return { client, redisGuard, store: redisStore(redisGuard) }
}

export async function untilClosed(redisGuard: Guard): Promise<void> {
  if (redisGuard.state === 'open') await new Promise<unknown>((resolve) => redisGuard.once('close', resolve))
}

/** Calls that fail open it: an invalidation that waits is tried again and again. */
export async function untilOpen(redisGuard: Guard): Promise<void> {
  if (redisGuard.state === 'closed') await new Promise<unknown>((resolve) => redisGuard.once('open', resolve))
}
