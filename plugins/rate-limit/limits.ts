import type { FastifyRequest } from 'fastify'
import { addressKey } from './address.ts'
import { charged, refusal, told } from './headers.ts'
import { type PolicySet, policySet } from './policy.ts'
import type { Quotas, ServiceLimit } from './quotas.ts'
import type { TierRules } from './rules.ts'
import type { QuotaStatus } from './schema.ts'
import type { LimitStore, Verdict } from './store.ts'

/** Whose quotas are used. */
export interface Caller {
  /** Names the counters, e.g. `user:42`. */
  key: string
  /** Key of the tier whose rules apply, as the change feed names it. */
  tier?: string | undefined
}

export interface Limits {
  /**
   * Charges `cost` (1) to a quota of the caller, by address when anonymous: for what a route cannot know beforehand.
   * @throws RateLimitExceeded (429); nothing is charged then
   */
  consume(request: FastifyRequest, limit: ServiceLimit & { cost?: number }): Promise<QuotaStatus>
  /** All quotas of a caller, by default of the one who asks, without using any. */
  status(request: FastifyRequest, caller?: Caller): Promise<QuotaStatus[]>
  /** Whether a rule for this template and method (`null`: any) limits anything. */
  isRoute(path: string, method: string | null): boolean
}

export interface LimitsOptions {
  store: LimitStore
  quotas: Quotas
  rules: { get(tier: string): TierRules | Promise<TierRules> } | undefined
  identify(request: FastifyRequest): Caller | null
  withLegacy: boolean
}

export function createLimits({ store, quotas, rules, identify, withLegacy }: LimitsOptions): Limits {
  const addressOf = (request: FastifyRequest): Caller => ({ key: `ip:${addressKey(request.ip)}` })

  function take(request: FastifyRequest, client: string, set: PolicySet, cost: number) {
    return store.take({ client, set, cost, isBlind: request[told]?.isBlind === true })
  }

  return {
    async consume(request, { service, max, seconds, cost = 1 }) {
      quotas.requireService('limits.consume', { service, max, seconds })
      if (!Number.isSafeInteger(cost) || cost < 1 || cost > max) {
        throw new TypeError('rate-limit: `cost` must be a whole number from 1 to `max`')
      }
      const set = policySet([{ name: service, key: service, max, seconds }])
      const { key } = identify(request) ?? addressOf(request)
      const verdict = await take(request, key, set, cost)
      if (!verdict.isAllowed) throw refusal(set, verdict, withLegacy, request[told])
      request[told] = charged(verdict, request[told])
      const [status] = statuses(set, verdict)
      if (status === undefined) throw new Error('A verdict has a state for each policy')
      return status
    },
    async status(request, { key, tier } = identify(request) ?? addressOf(request)) {
      const set = quotas.ofUser(tier === undefined ? undefined : await rules?.get(tier))
      return statuses(set, await take(request, key, set, 0))
    },
    isRoute: quotas.isRoute
  }
}

function statuses({ policies }: PolicySet, { states }: Verdict): QuotaStatus[] {
  return states.flatMap(({ remaining, resetMs }, index) => {
    const policy = policies[index]
    if (policy === undefined) return []
    const { name, max, seconds } = policy
    return [{ policy: name, limit: max, period: seconds, remaining, reset: Math.ceil(resetMs / 1000) }]
  })
}
