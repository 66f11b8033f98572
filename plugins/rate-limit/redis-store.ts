import type { Guard } from '../redis/index.ts'
import { evaluate } from './script.ts'
import type { Check, State, Verdict } from './store.ts'

/** Checks that share one call at most: about half a millisecond of the server's time. */
const MAX_BATCH = 64

interface Waiting {
  check: Check
  resolve(verdict: Verdict): void
  reject(error: unknown): void
}

/**
 * Counts in Redis, for all processes together. The keys of one check have a hash tag in common, so on a Cluster each check
 * is a call to one slot. On a single server, which has no slots, the checks of one turn of the event loop share a call:
 * that costs a third.
 */
export function redisStore(guard: Guard): { take(check: Check): Promise<Verdict> } {
  const maxBatch = guard.client.isCluster ? 1 : MAX_BATCH
  let queue: Waiting[] = []

  function flush(): void {
    const waiting = queue
    queue = []
    for (let start = 0; start < waiting.length; start += maxBatch) void run(waiting.slice(start, start + maxBatch))
  }

  async function run(batch: Waiting[]): Promise<void> {
    const keys: string[] = []
    const args: string[] = []
    for (const { check } of batch) {
      const { client, set, cost } = check
      for (const { key } of set.policies) keys.push(`rl:{${client}}:${key}`)
      args.push(String(set.policies.length), String(cost), ...set.args)
    }
    try {
      const reply = await guard.call((client) => evaluate(client, keys, args))
      let at = 0
      for (const { check, resolve } of batch) {
        resolve(readVerdict(reply, at, check))
        at += 1 + 3 * check.set.policies.length
      }
    } catch (error) {
      for (const { reject } of batch) reject(error)
    }
  }

  return {
    take: (check) =>
      new Promise((resolve, reject) => {
        if (queue.length === 0) setImmediate(flush)
        queue.push({ check, resolve, reject })
      })
  }
}

function readVerdict(reply: number[], start: number, { set }: Check): Verdict {
  const states = set.policies.map((_, index): State => {
    const at = start + 1 + 3 * index
    return { isExceeded: reply[at] === 1, remaining: reply[at + 1] ?? 0, resetMs: reply[at + 2] ?? 0 }
  })
  return { isAllowed: reply[start] === 1, states, isBlind: false }
}
