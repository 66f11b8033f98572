import { LRUCache } from 'lru-cache'
import type { PolicySet } from './policy.ts'
import type { Check, Verdict } from './store.ts'

/** Clients that were refused lately, about 300 bytes each. */
const MAX_CLIENTS = 10_000
/** Counters that were emptied act that much later at most. */
const REMEMBERED_MS = 1000

interface Refusal {
  set: PolicySet
  cost: number
  states: Verdict['states']
  at: number
  /** Nothing passes within this time: refused calls are not charged, and none of what counts is forgotten earlier. */
  forMs: number
}

/** Remembers refusals for as long as they are sure, a second at most: a client that goes on and on costs no call each. */
export function createRefusals(now: () => number) {
  const known = new LRUCache<string, Refusal>({ max: MAX_CLIENTS })
  return {
    add({ client, set, cost }: Check, { states }: Verdict): void {
      const waits = states.map(({ isExceeded, resetMs }) => (isExceeded ? resetMs : 0))
      known.set(client, { set, cost, states, at: now(), forMs: Math.min(REMEMBERED_MS, Math.max(...waits)) })
    },
    find({ client, set, cost }: Check): Verdict | undefined {
      if (known.size === 0) return undefined
      const refusal = known.get(client)
      if (refusal === undefined || refusal.set !== set || cost < refusal.cost) return undefined
      const elapsed = now() - refusal.at
      if (elapsed >= refusal.forMs) return undefined
      const states = refusal.states.map((state) => ({ ...state, resetMs: Math.max(0, state.resetMs - elapsed) }))
      return { isAllowed: false, states, isBlind: false }
    }
  }
}
