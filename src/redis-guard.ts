import type { FastifyInstance } from 'fastify'
import type { Redis } from 'ioredis'
import { closeRedis, createRedis, type Guard, guard } from '../plugins/redis/index.ts'
import type { Config } from './config.ts'

/** The guard of a Redis of its own, for one purpose, when the configuration names one by `url`; else the common one, if any. */
export async function redisGuard(
  app: FastifyInstance,
  config: Config,
  url: string | undefined
): Promise<Guard | undefined> {
  const { REDIS_CONNECT_TIMEOUT_MS, REDIS_COMMAND_TIMEOUT_MS } = config
  if (url === undefined) return app.hasDecorator('redisGuard') ? app.redisGuard : undefined
  const client = createRedis({
    url,
    prefix: config.REDIS_PREFIX,
    connectTimeoutMs: REDIS_CONNECT_TIMEOUT_MS,
    commandTimeoutMs: 2 * REDIS_COMMAND_TIMEOUT_MS,
    log: app.log
  })
  // `url` makes it a single server.
  const own = guard(client as Redis, { deadlineMs: REDIS_COMMAND_TIMEOUT_MS })
  app.addHook('onClose', async () => {
    own.stop()
    await closeRedis(client)
  })
  await connected(own, REDIS_CONNECT_TIMEOUT_MS)
  return own
}

/** Resolves when the guard lets calls through, or the time is up: the start goes on without Redis. */
function connected(own: Guard, timeoutMs: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, timeoutMs)
  own.once('close', () => resolve())
  return promise.finally(() => clearTimeout(timer))
}
