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
  /** When Redis was asked, and when it had answered: it looked in between. */
  askedAt: number
  answeredAt: number
  /** Nothing passes within this time: refused calls are not charged, and none of what counts is forgotten earlier. */
  forMs: number
}

/** Remembers refusals for as long as they are sure, a second at most: a client that goes on and on costs no call each. */
export function createRefusals(now: () => number) {
  // `max` would reserve its whole space at the start.
  const known = new LRUCache<string, Refusal>({ maxSize: MAX_CLIENTS, sizeCalculation: () => 1 })
  return {
    add({ client, set, cost }: Check, { states }: Verdict, askedAt: number): void {
      const waits = states.map(({ isExceeded, resetMs }) => (isExceeded ? resetMs : 0))
      known.set(client, {
        set,
        cost,
        states,
        askedAt,
        answeredAt: now(),
        forMs: Math.min(REMEMBERED_MS, Math.max(...waits))
      })
    },
    /** What was charged since may make the wait longer than told. */
    drop({ client }: Check): void {
      // Of nobody, mostly: then the name need not even be hashed.
      if (known.size > 0) known.delete(client)
    },
    find({ client, set, cost }: Check): Verdict | undefined {
      if (known.size === 0) return undefined
      const refusal = known.get(client)
      if (refusal === undefined || refusal.set !== set || refusal.cost !== cost) return undefined
      const present = now()
      if (present - refusal.askedAt >= refusal.forMs) return undefined
      const elapsed = present - refusal.answeredAt
      const states = refusal.states.map((state) => ({ ...state, resetMs: Math.max(0, state.resetMs - elapsed) }))
      return { isAllowed: false, states, isBlind: false }
    }
  }
}
