import type { FastifyReply } from 'fastify'
import { rateLimitExceeded } from './errors.ts'
import type { PolicySet } from './policy.ts'
import type { State, Verdict } from './store.ts'

/** What an answer tells of the stages passed so far. */
export interface Told {
  policy: string
  state: string
  /** A stage waited for Redis in vain. */
  isBlind: boolean
  /** The caller's stage is among them. */
  isComplete: boolean
  /** Until all quotas that have nothing left have something again, in milliseconds. */
  fullMs: number
  /** The policy with the least remaining, for the legacy headers. */
  tightest: { max: number; state: State } | undefined
}

/** Where a request keeps it. */
export const told = Symbol('rate-limit.told')

declare module 'fastify' {
  interface FastifyRequest {
    [told]: Told | null
  }
}

/**
 * Tells the quotas of a passed stage in `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-11), beside
 * those of an earlier one.
 */
export function tell(
  reply: FastifyReply,
  { header, quoted, policies }: PolicySet,
  verdict: Verdict,
  before: Told | null,
  isComplete: boolean
): Told {
  let policy = before === null ? '' : before.policy
  let state = before === null ? '' : before.state
  let tightest = before?.tightest
  let fullMs = before?.fullMs ?? 0
  for (let index = 0; index < policies.length; index++) {
    const one = verdict.states[index]
    const max = policies[index]?.max
    if (one === undefined || max === undefined) continue
    if (state !== '') state += ', '
    state += `${quoted[index]};r=${one.remaining};t=${seconds(one.resetMs)}`
    if (one.remaining === 0) fullMs = Math.max(fullMs, one.resetMs)
    if (tightest === undefined || one.remaining < tightest.state.remaining) tightest = { max, state: one }
  }
  // Nothing limits some callers at all.
  policy = policy === '' || header === '' ? policy + header : `${policy}, ${header}`
  if (state !== '') reply.header('ratelimit-policy', policy).header('ratelimit', state)
  return { policy, state, isBlind: verdict.isBlind || before?.isBlind === true, isComplete, fullMs, tightest }
}

/** What is told once a handler has charged more: nothing new, but it has to be waited for as well. */
export function charged({ states, isBlind }: Verdict, before: Told | null): Told {
  const waits = states.map(({ remaining, resetMs }) => (remaining === 0 ? resetMs : 0))
  return {
    policy: before?.policy ?? '',
    state: before?.state ?? '',
    isBlind: isBlind || before?.isBlind === true,
    isComplete: before?.isComplete === true,
    fullMs: Math.max(before?.fullMs ?? 0, ...waits),
    tightest: before?.tightest
  }
}

/**
 * The error for a call that a stage refused. Its headers tell of the exceeded policies only: `Retry-After` is the longest
 * of their waits, and a client that waits for it passes.
 */
export function refusal(
  { quoted, policies }: PolicySet,
  { states }: Verdict,
  withLegacy: boolean,
  before: Told | null
) {
  const exceeded = states.flatMap((state, index) => (state.isExceeded ? [{ ...state, index }] : []))
  const error = rateLimitExceeded(
    // What this very call used up before has to be waited for as well.
    Math.max(1, seconds(before?.fullMs ?? 0), ...exceeded.map(({ resetMs }) => seconds(resetMs))),
    exceeded.map(({ index }) => policies[index]?.name ?? '')
  )
  const policy = exceeded.map(({ index }) => `${quoted[index]};q=${policies[index]?.max};w=${policies[index]?.seconds}`)
  const state = exceeded.map(({ index, remaining, resetMs }) => `${quoted[index]};r=${remaining};t=${seconds(resetMs)}`)
  Object.assign(error.headers, { 'RateLimit-Policy': policy.join(', '), RateLimit: state.join(', ') })
  const [first] = exceeded
  if (withLegacy && first) Object.assign(error.headers, legacyHeaders(policies[first.index]?.max ?? 0, first))
  return error
}

/** The names that clients knew before the draft. */
export const legacyHeaders = (max: number, { remaining, resetMs }: State) => ({
  'X-RateLimit-Limit': String(max),
  'X-RateLimit-Remaining': String(remaining),
  'X-RateLimit-Reset': String(seconds(resetMs))
})

const seconds = (ms: number) => Math.ceil(ms / 1000)
