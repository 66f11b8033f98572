import fastifyRedis, { type FastifyRedis } from '@fastify/redis'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { Cluster, Redis } from 'ioredis'
import type {} from '../health/index.ts'
import type {} from '../metrics/index.ts'
import { closeRedis, createRedis, type RedisClientOptions } from './client.ts'
import { reasonOf } from './errors.ts'
import { type Guard, type GuardOptions, guard } from './guard.ts'

export { closeRedis, createRedis, type RedisClientOptions } from './client.ts'
export { RedisUnavailable } from './errors.ts'
export { type Backlog, type Guard, type GuardEvents, type GuardOptions, type GuardStats, guard } from './guard.ts'

export interface RedisOptions extends Omit<RedisClientOptions, 'log'>, Omit<GuardOptions<Redis>, 'deadlineMs'> {
  /** A client to use instead of making one; it is never closed. Then none of the connection's options is looked at. */
  client?: Redis | Cluster | undefined
}

declare module 'fastify' {
  interface FastifyInstance {
    /** The client: ioredis' `Redis`, or `Cluster` with the same commands. */
    redis: FastifyRedis
    /** Deadline and circuit breaker around `app.redis`. */
    redisGuard: Guard
  }
}

/**
 * Decorates `app.redis` and `app.redisGuard`. Waits for the first attempt to connect, not longer than `connectTimeoutMs`, and
 * starts without Redis if it fails: the guard is open then and closes by itself when Redis is there.
 */
export const redisPlugin = fp<RedisOptions>(
  async (app, options) => {
    const { connectTimeoutMs = 1000, commandTimeoutMs = 100 } = options
    // The guard keeps the deadline. The client's own is twice as long: its timers would call answers late that came in while
    // the event loop was busy, and raw calls through `app.redis` still end.
    const client = options.client ?? createRedis({ ...options, commandTimeoutMs: 2 * commandTimeoutMs })
    // A Cluster has the commands of a Redis; @fastify/redis types it as one, too.
    const redis = client as Redis
    const redisGuard = guard(redis, { ...options, deadlineMs: commandTimeoutMs })
    app.addHook('onClose', async () => {
      redisGuard.stop()
      if (options.client === undefined) await closeRedis(client)
    })
    if (!options.lazy) await firstAttempt(redis, redisGuard, connectTimeoutMs)

    // @fastify/redis would wait for a client that is not ready, and quit it for good when its host has no address yet.
    if (redis.status === 'ready') await app.register(fastifyRedis, { client })
    else app.decorate('redis', redis as FastifyRedis)
    app.decorate('redisGuard', redisGuard)

    logOutages(app, redisGuard)
    observe(app, redisGuard)
  },
  { name: 'redis', fastify: '5.x' }
)

export default redisPlugin

function firstAttempt(client: Redis, redisGuard: Guard, timeoutMs: number): Promise<void> {
  return new Promise((resolve) => {
    if (redisGuard.state === 'closed') return resolve()
    const timer = setTimeout(resolve, timeoutMs)
    const done = () => {
      clearTimeout(timer)
      resolve()
    }
    redisGuard.once('close', done)
    client.once('close', done)
  })
}

function logOutages(app: FastifyInstance, redisGuard: Guard): void {
  const warn = (reason: Error) =>
    app.log.warn({ reason: reasonOf(reason) }, 'Redis is unavailable, going on without it')
  if (redisGuard.reason !== undefined && redisGuard.client.status !== 'wait') warn(redisGuard.reason)
  redisGuard.on('open', warn)
  redisGuard.on('close', (outageMs) => app.log.info({ outage_ms: outageMs }, 'Redis is available'))
}

function observe(app: FastifyInstance, redisGuard: Guard): void {
  if (app.hasDecorator('health')) {
    const check = async () => void (await redisGuard.call((client) => client.ping()))
    app.health.register('redis', { check, critical: false })
  }
  if (app.hasDecorator('metrics')) {
    const isOpen = () => Number(redisGuard.state === 'open')
    app.metrics.gauge('redis_up', 'Whether the client is connected to Redis.', () =>
      Number(redisGuard.client.status === 'ready')
    )
    app.metrics.gauge('redis_breaker_open', 'Whether calls are refused at once.', isOpen)
    const failures = app.metrics.counter('redis_failures_total', 'Calls that an outage of Redis failed.')
    redisGuard.on('failure', () => failures.inc())
    const outages = app.metrics.counter('redis_outages_total', 'How often the breaker opened.')
    redisGuard.on('open', () => outages.inc())
  }
}
