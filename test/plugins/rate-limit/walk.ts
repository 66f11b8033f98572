import { policySet, type Quota } from '../../../plugins/rate-limit/policy.ts'
import type { Check } from '../../../plugins/rate-limit/store.ts'

/** Numbers from 0 to 1 that are the same in every run. */
export function randomNumbers(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
    return state / 2_147_483_648
  }
}

export function checkOf(client: string, quotas: Record<string, Quota>, cost = 1): Check {
  const policies = Object.entries(quotas).map(([name, quota]) => ({ name, key: name, ...quota }))
  return { client, set: policySet(policies), cost, isBlind: false }
}

/** Calls at random moments, in bursts and after pauses, of random cost: offsets in milliseconds. */
export function randomWalk(seed: number, count: number, windowMs: number): Array<{ at: number; cost: number }> {
  const random = randomNumbers(seed)
  let at = 1_700_000_000_000
  return Array.from({ length: count }, () => {
    const pace = random()
    at += pace < 0.6 ? random() * 3 : pace < 0.95 ? (random() * windowMs) / 20 : random() * windowMs * 1.5
    // What Redis can tell, and what a sum of doubles cannot distort.
    at = Math.round(at * 1000) / 1000
    return { at, cost: random() < 0.8 ? 1 : random() < 0.5 ? 0 : 3 }
  })
}
