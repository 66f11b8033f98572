import type { FastifyReply, FastifyRequest } from 'fastify'
import { addressKey } from './address.ts'
import { legacyHeaders, refusal, tell, told } from './headers.ts'
import type { Caller } from './limits.ts'
import type { Observer } from './observe.ts'
import type { PolicySet } from './policy.ts'
import type { Plan, Quotas } from './quotas.ts'
import type { TierRules } from './rules.ts'
import type { CreateStage, Stage } from './stage.ts'
import type { Check } from './store.ts'

export interface EnforcerOptions {
  createStage: CreateStage
  quotas: Quotas
  rules: { get(tier: string): TierRules | Promise<TierRules> } | undefined
  identify(request: FastifyRequest): Caller | null
  observer: Observer
  withLegacy: boolean
}

export type Hook = (request: FastifyRequest, reply: FastifyReply) => Promise<void>

/** Makes the hooks that hold requests to their quotas; `null` where there is nothing to hold them to. */
export interface Enforcer {
  /** Before it is known who calls. What it charges stays charged, whatever comes after. */
  ofAddress(plan: Plan): Hook | null
  /** Once that is known. */
  ofCaller(plan: Plan): Hook | null
  /** For what no route matches. */
  ofUnknown(): Hook | null
}

export function createEnforcer(options: EnforcerOptions): Enforcer {
  const { createStage, quotas, rules, identify, observer, withLegacy } = options

  function hook(stage: Stage, name: 'address' | 'caller'): Hook {
    return async (request, reply) => {
      const { check, verdict } = (await stage(request)).key
      if (!verdict.isAllowed) {
        observer.refused(name)
        throw refusal(check.set, verdict, withLegacy, request[told])
      }
      const now = tell(reply, check.set, verdict, request[told])
      request[told] = now
      if (withLegacy && now.tightest) reply.headers(legacyHeaders(now.tightest.max, now.tightest.state))
    }
  }

  function byAddress(set: PolicySet | null): Hook | null {
    return set === null
      ? null
      : hook(
          createStage((request) => checkOf(request, addressOf(request), set)),
          'address'
        )
  }

  function describe(plan: Plan, request: FastifyRequest): Check | Promise<Check> {
    const caller = identify(request)
    if (!caller) return checkOf(request, addressOf(request), quotas.ofCaller(plan, false))
    const { key, tier } = caller
    const found = tier === undefined ? undefined : rules?.get(tier)
    if (tier === undefined || found === undefined) return checkOf(request, key, quotas.ofCaller(plan, true))
    // Remembered rules come without a promise.
    const withRules = (found: TierRules) => checkOf(request, key, quotas.ofCaller(plan, true, { tier, found }))
    return found instanceof Promise ? found.then(withRules) : withRules(found)
  }

  return {
    ofAddress: (plan) => byAddress(quotas.ofAddress(plan)),
    ofUnknown: () => byAddress(quotas.ofUnknown()),
    ofCaller(plan) {
      const isLimited = plan.limit !== undefined || quotas.hasUserTotal || rules !== undefined
      if (plan.isPublic || plan.limit === 'address' || !isLimited) return null
      return hook(
        createStage((request) => describe(plan, request)),
        'caller'
      )
    }
  }
}

const addressOf = ({ ip }: FastifyRequest) => `ip:${addressKey(ip)}`

const checkOf = (request: FastifyRequest, client: string, set: PolicySet): Check => ({
  client,
  set,
  cost: 1,
  isBlind: request[told]?.isBlind === true
})
