import type { PolicySet } from './policy.ts'

/** One call held against the quotas of one client. */
export interface Check {
  /** Whose counters, e.g. `user:42` or `ip:192.0.2.1`. */
  client: string
  set: PolicySet
  /** Charged to each policy when all of them allow it; 0 only looks. */
  cost: number
  /** Count in memory at once: this request has waited for Redis already. */
  isBlind: boolean
  /** Of the same call, made in the same breath, and only when this one allows it. A store may leave it out. */
  next?: Check | undefined
}

/** How one policy stands after the check. */
export interface State {
  isExceeded: boolean
  remaining: number
  /** When exceeded: until the call would pass. Else: until some of what is used is free again; 0 when nothing is used. */
  resetMs: number
}

export interface Verdict {
  /** Nothing was charged unless it is true. */
  isAllowed: boolean
  /** In the order of the policies. */
  states: State[]
  /** It was counted in memory although there is a Redis. */
  isBlind: boolean
  /** Of the check's `next`, if it was made. */
  next?: Verdict | undefined
}

/** Counts calls: checks all policies of a call, then charges all of them or none. */
export interface LimitStore {
  take(check: Check): Verdict | Promise<Verdict>
}
