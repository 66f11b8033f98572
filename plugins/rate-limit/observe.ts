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

export function observe(app: FastifyInstance, memory: MemoryStore, guard: Guard | undefined): Observer {
  const metrics = app.hasDecorator('metrics') ? app.metrics : undefined
  const refusals = metrics?.counter('rate_limit_refused_total', 'Calls answered with 429.', ['stage'])
  const fallbacks = metrics?.counter('rate_limit_fallbacks_total', 'Calls counted in memory, because Redis failed.')
  const isOpen = () => Number(guard?.state === 'open')
  metrics?.gauge('rate_limit_in_memory', 'Whether calls are counted in memory although there is a Redis.', isOpen)
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
      if (!isOutage) app.log.error({ err: error }, 'Rate limits cannot be counted in Redis')
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
