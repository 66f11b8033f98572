import type { Guard } from '../redis/index.ts'
import { redisStore } from './redis-store.ts'
import type { Check, LimitStore, Verdict } from './store.ts'

export interface FallbackOptions {
  guard: Guard
  memory: LimitStore
  /** Monotonic clock in milliseconds. */
  now: () => number
  /** A call that Redis should have counted and memory did. */
  onFallback(error: unknown): void
}

/** Counts in Redis, and in memory whatever Redis did not answer in time: nobody is refused or kept waiting for an outage. */
export function fallbackStore({ guard, memory, now, onFallback }: FallbackOptions): LimitStore {
  const redis = redisStore(guard, now, (check, error) => {
    onFallback(error)
    return inMemory(check)
  })

  async function inMemory(check: Check): Promise<Verdict> {
    const verdict = await memory.take(check)
    const next = verdict.isAllowed && check.next ? await inMemory(check.next) : undefined
    return { ...verdict, isBlind: true, next }
  }

  return {
    take(check) {
      if (check.set.policies.length === 0) return memory.take(check)
      // One wait per request: what was late once is not waited for again.
      return check.isBlind || guard.state === 'open' ? inMemory(check) : redis.take(check)
    }
  }
}
