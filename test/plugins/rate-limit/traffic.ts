import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setInterval } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'

export interface Traffic {
  /** How many answers had each status. */
  statuses: Record<number, number>
  slowestMs: number
  /** Longest that this busy process kept anything waiting, in milliseconds: what a deadline cannot do anything about. */
  lagMs: number
  /** Ends it and waits for the last answer. */
  stop(): Promise<void>
}

/** A call every few milliseconds, each of another user. */
export function startTraffic(t: Pick<Test, 'teardown'>, app: FastifyInstance): Traffic {
  const controller = new AbortController()
  const pending = new Set<Promise<void>>()
  const lag = monitorEventLoopDelay({ resolution: 5 })
  lag.enable()
  const traffic: Traffic = {
    statuses: {},
    slowestMs: 0,
    lagMs: 0,
    async stop() {
      controller.abort()
      await Promise.all(pending)
      lag.disable()
      traffic.lagMs = Math.ceil(lag.max / 1e6)
    }
  }
  t.teardown(traffic.stop)
  const one = async (index: number) => {
    const startedAt = performance.now()
    const { statusCode } = await app.inject({ url: '/notes', headers: { 'x-user': `traffic-${index}` } })
    traffic.statuses[statusCode] = (traffic.statuses[statusCode] ?? 0) + 1
    traffic.slowestMs = Math.max(traffic.slowestMs, Math.round(performance.now() - startedAt))
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
  return traffic
}
