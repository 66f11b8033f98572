import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setInterval } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import type { Test } from 'tap'
import { type Guard, RedisUnavailable } from '../../../plugins/redis/index.ts'

export interface Load {
  served: number
  refused: number
  /** Everything else that was thrown: must stay empty. */
  errors: unknown[]
  /** Milliseconds of the slowest call. */
  slowestMs: number
  /** Longest that this busy process kept anything waiting, in milliseconds: what a deadline cannot do anything about. */
  lagMs: number
  /** Ends the load and waits for its last call. */
  stop(): Promise<void>
}

/** Calls `fn` through `guard` every few milliseconds, like a service under way, until it is stopped. */
export function startLoad(
  t: Pick<Test, 'teardown'>,
  guard: Guard,
  fn: (client: Redis, index: number) => Promise<unknown>
): Load {
  const controller = new AbortController()
  const pending = new Set<Promise<void>>()
  const lag = monitorEventLoopDelay({ resolution: 5 })
  lag.enable()
  const load: Load = {
    served: 0,
    refused: 0,
    errors: [],
    slowestMs: 0,
    lagMs: 0,
    stop: async () => {
      controller.abort()
      await Promise.all(pending)
      lag.disable()
      load.lagMs = Math.ceil(lag.max / 1e6)
    }
  }
  t.teardown(load.stop)
  const one = async (index: number) => {
    const startedAt = performance.now()
    try {
      await guard.call((client) => fn(client, index))
      load.served++
    } catch (error) {
      if (error instanceof RedisUnavailable) load.refused++
      else load.errors.push(error)
    }
    load.slowestMs = Math.max(load.slowestMs, Math.round(performance.now() - startedAt))
  }
  const run = async () => {
    let index = 0
    for await (const _ of setInterval(5, undefined, { signal: controller.signal })) {
      const call = one(index++).finally(() => pending.delete(call))
      pending.add(call)
    }
  }
  // The abort is how it ends.
  run().catch(() => undefined)
  return load
}

/** Resolves once the breaker of `guard` is closed. */
export async function untilClosed(guard: Guard): Promise<void> {
  if (guard.state === 'open') await new Promise<unknown>((resolve) => guard.once('close', resolve))
}
