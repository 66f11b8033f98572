import type { FastifyInstance } from 'fastify'
import type {} from '../metrics/index.ts'
import type { Guard } from '../redis/index.ts'
import type { MemoryStore } from './memory-store.ts'

/** Logs and figures. */
export interface Observer {
  refused(stage: 'address' | 'caller'): void
  /** A call was counted in memory, because Redis failed it. */
  fellBack(error: unknown): void
}

/** A fault that has not been met for so many milliseconds is over; the next one is told again. */
const FAULT_MS = 10_000

export interface ObserveOptions {
  memory: MemoryStore
  guard: Guard | undefined
  /** Monotonic clock in milliseconds. */
  now(): number
}

export function observe(app: FastifyInstance, { memory, guard, now }: ObserveOptions): Observer {
  let metAt = Number.NEGATIVE_INFINITY
  const metrics = app.hasDecorator('metrics') ? app.metrics : undefined
  const refusals = metrics?.counter('rate_limit_refused_total', 'Calls answered with 429.', ['stage'])
  const fallbacks = metrics?.counter('rate_limit_fallbacks_total', 'Calls counted in memory, because Redis failed.')
  const isInMemory = () => Number(guard?.state === 'open' || now() - metAt < FAULT_MS)
  metrics?.gauge('rate_limit_in_memory', 'Whether calls are counted in memory although there is a Redis.', isInMemory)
  metrics?.gauge('rate_limit_memory_keys', 'Counters in memory.', () => memory.size)
  metrics?.gauge('rate_limit_memory_forgotten', 'Counters that had to go from memory while at their limit.', () =>
    Number(memory.evictedFull)
  )
  if (guard !== undefined) logChanges(app, guard)

  return {
    refused: (stage) => refusals?.inc({ stage }),
    fellBack(error) {
      fallbacks?.inc()
      // An outage is told by the guard, once; anything else is a fault of ours.
      const isOutage = error instanceof Error && 'code' in error && error.code === 'REDIS_UNAVAILABLE'
      if (isOutage) return
      const isNew = now() - metAt >= FAULT_MS
      metAt = now()
      if (isNew) app.log.error({ err: error }, 'Rate limits cannot be counted in Redis, and are in memory')
    }
  }
}

function logChanges(app: FastifyInstance, guard: Guard): void {
  const opened = () => app.log.warn('Rate limits are counted in the memory of this process')
  const closed = () => app.log.info('Rate limits are counted in Redis again')
  if (guard.state === 'open') opened()
  guard.on('open', opened)
  guard.on('close', closed)
  app.addHook('onClose', async () => {
    guard.off('open', opened)
    guard.off('close', closed)
  })
}
