import type { Guard } from '../redis/index.ts'
import { createRefusals } from './refusals.ts'
import { evaluate, REPLY_BYTES } from './script.ts'
import type { Check, LimitStore, State, Verdict } from './store.ts'

/** Checks that share one call at most: a millisecond of the server's time, two where each has a `next`. */
const MAX_BATCH = 64

interface Waiting {
  check: Check
  resolve(verdict: Verdict | Promise<Verdict>): void
}

/**
 * Counts in Redis, for all processes together. The keys of one check have a hash tag in common, so on a Cluster each check
 * is a call to one slot. On a single server, which has no slots, checks share a call: what comes in while one is under way
 * waits for its end. A call that fails takes along what waited for it, so that nobody waits for two.
 *
 * @param onFailure decides what Redis did not
 */
export function redisStore(
  guard: Guard,
  now: () => number,
  onFailure: (check: Check, error: unknown) => Verdict | Promise<Verdict>
): LimitStore {
  const refusals = createRefusals(now)
  const maxBatch = guard.client.isCluster ? 1 : MAX_BATCH
  const maxCalls = guard.client.isCluster ? Number.POSITIVE_INFINITY : 1
  const queue: Waiting[] = []
  let calls = 0

  function flush(): void {
    while (queue.length > 0 && calls < maxCalls) void run(queue.splice(0, maxBatch))
  }

  async function run(batch: Waiting[]): Promise<void> {
    calls++
    try {
      const { keys, args } = encode(batch)
      const askedAt = now()
      const reply = await guard.call((client) => evaluate(client, keys, args))
      let at = 0
      for (const { check, resolve } of batch) {
        const verdict = readVerdict(reply, at, check)
        remember(check, verdict, askedAt)
        resolve(verdict)
        at += REPLY_BYTES * (check.set.policies.length + (check.next?.set.policies.length ?? 0))
      }
    } catch (error) {
      const late = maxCalls === 1 ? queue.splice(0) : []
      for (const { check, resolve } of [...batch, ...late]) resolve(onFailure(check, error))
    } finally {
      calls--
      flush()
    }
  }

  function remember(check: Check, verdict: Verdict, askedAt: number): void {
    if (!verdict.isAllowed) refusals.add(check, verdict, askedAt)
    else if (check.cost > 0) refusals.drop(check)
    if (check.next !== undefined && verdict.next !== undefined) remember(check.next, verdict.next, askedAt)
  }

  function ask(check: Check): Promise<Verdict> {
    return new Promise((resolve) => {
      // Together with what else this turn of the event loop brings.
      if (queue.length === 0) setImmediate(flush)
      queue.push({ check, resolve })
    })
  }

  return {
    take(check) {
      const refusal = refusals.find(check)
      if (refusal !== undefined) return refusal
      const known = check.next && refusals.find(check.next)
      if (known === undefined) return ask(check)
      return ask({ ...check, next: undefined }).then((verdict) => ({ ...verdict, next: known }))
    }
  }
}

/** Neighbours that are held against the same policies share their description: nearly all do. */
function encode(batch: Waiting[]): { keys: string[]; args: string[] } {
  const keys: string[] = []
  const args: string[] = []
  for (let first = 0; first < batch.length; ) {
    const { set, cost, next } = (batch[first] as Waiting).check
    let end = first
    for (let check = batch[end]?.check; check !== undefined && isAlike(check); check = batch[++end]?.check) {
      addKeys(keys, check)
      if (check.next !== undefined) addKeys(keys, check.next)
    }
    const others = next === undefined ? [] : next.set.args
    const size = set.policies.length
    args.push(String(size), String(size + others.length / 2), String(cost), String(end - first), ...set.args, ...others)
    first = end

    function isAlike(check: Check): boolean {
      return check.set === set && check.cost === cost && check.next?.set === next?.set
    }
  }
  return { keys, args }
}

function addKeys(keys: string[], { client, set }: Check): void {
  for (const { key } of set.policies) keys.push(`rl:{${client}}:${key}`)
}

function readVerdict(reply: DataView, start: number, { set, next }: Check): Verdict {
  let isAllowed = true
  const states = set.policies.map((_, index): State => {
    const at = start + REPLY_BYTES * index
    const resetMs = reply.getFloat64(at + 8, true)
    const isExceeded = resetMs < 0
    if (isExceeded) isAllowed = false
    return { isExceeded, remaining: reply.getFloat64(at, true), resetMs: Math.abs(resetMs) }
  })
  const isFollowed = next !== undefined && isAllowed
  return {
    isAllowed,
    states,
    isBlind: false,
    next: isFollowed ? readVerdict(reply, start + REPLY_BYTES * states.length, next) : undefined
  }
}
