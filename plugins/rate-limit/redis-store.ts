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
 * is a call to one slot. On a single server, which has no slots, checks share a call: what comes in while one is under way
 * waits for its end. A call that fails takes along what waited for it, so that nobody waits for two.
 */
export function redisStore(guard: Guard): { take(check: Check): Promise<Verdict> } {
  const maxBatch = guard.client.isCluster ? 1 : MAX_BATCH
  const maxCalls = guard.client.isCluster ? Number.POSITIVE_INFINITY : 1
  const queue: Waiting[] = []
  let calls = 0

  function flush(): void {
    while (queue.length > 0 && calls < maxCalls) void run(queue.splice(0, maxBatch))
  }

  async function run(batch: Waiting[]): Promise<void> {
    const keys: string[] = []
    const args: string[] = []
    for (const { check } of batch) {
      const { client, set, cost } = check
      for (const { key } of set.policies) keys.push(`rl:{${client}}:${key}`)
      args.push(String(set.policies.length), String(cost), ...set.args)
    }
    calls++
    try {
      const reply = await guard.call((client) => evaluate(client, keys, args))
      let at = 0
      for (const { check, resolve } of batch) {
        resolve(readVerdict(reply, at, check))
        at += 1 + 3 * check.set.policies.length
      }
    } catch (error) {
      const late = maxCalls === 1 ? queue.splice(0) : []
      for (const { reject } of [...batch, ...late]) reject(error)
    } finally {
      calls--
      flush()
    }
  }

  return {
    take: (check) =>
      new Promise((resolve, reject) => {
        // Together with what else this turn of the event loop brings.
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
