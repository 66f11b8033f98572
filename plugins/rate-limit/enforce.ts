import type { FastifyReply, FastifyRequest } from 'fastify'
import { addressKey } from './address.ts'
import { legacyHeaders, refusal, tell, told } from './headers.ts'
import type { Caller } from './limits.ts'
import type { Observer } from './observe.ts'
import type { PolicySet } from './policy.ts'
import type { Plan, Quotas } from './quotas.ts'
import type { TierRules } from './rules.ts'
import type { CreateStage, Stage } from './stage.ts'
import type { Check, Verdict } from './store.ts'

export interface EnforcerOptions {
  createStage: CreateStage
  quotas: Quotas
  rules: { recall(tier: string): TierRules | undefined; get(tier: string): TierRules | Promise<TierRules> } | undefined
  identify(request: FastifyRequest): Caller | null
  recall: ((request: FastifyRequest) => Caller | null | undefined) | undefined
  observer: Observer
  withLegacy: boolean
}

export type Hook = (request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void) => void

type StageName = 'address' | 'caller'

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
  const { createStage, quotas, rules, identify, recall, observer, withLegacy } = options

  /** The caller's hook finds nothing left to do when the check of the address brought that of the caller along. */
  function hook(stage: Stage, name: StageName): Hook {
    return (request, reply, done) => {
      if (request[told]?.isComplete) return done()
      stage(request)
        .then(({ key: { check, verdict } }) => {
          pass(request, reply, name, check.set, verdict)
          if (check.next && verdict.next) pass(request, reply, 'caller', check.next.set, verdict.next)
        })
        .then(() => done(), done)
    }
  }

  function pass(request: FastifyRequest, reply: FastifyReply, name: StageName, set: PolicySet, verdict: Verdict): void {
    if (!verdict.isAllowed) {
      observer.refused(name)
      throw refusal(set, verdict, withLegacy, request[told])
    }
    const now = tell(reply, set, verdict, request[told], name === 'caller')
    request[told] = now
    if (withLegacy && now.tightest) reply.headers(legacyHeaders(now.tightest.max, now.tightest.state))
  }

  function byAddress(set: PolicySet | null, plan?: Plan): Hook | null {
    if (set === null) return null
    const isFollowed = plan !== undefined && !plan.hasHooks && recall !== undefined && isCallerLimited(plan)
    const stage = createStage((request) => {
      const next = isFollowed ? foresee(plan, request, recall(request)) : undefined
      return checkOf(request, addressOf(request), set, next)
    })
    return hook(stage, 'address')
  }

  /** The check of the caller, if it takes no look-up to tell who that is and what they may. */
  function foresee(plan: Plan, request: FastifyRequest, caller: Caller | null | undefined): Check | undefined {
    if (caller === undefined) return undefined
    if (caller?.tier === undefined || rules === undefined) return ofCaller(plan, request, caller)
    const found = rules.recall(caller.tier)
    return found && ofCaller(plan, request, caller, found)
  }

  function describe(plan: Plan, request: FastifyRequest): Check | Promise<Check> {
    const caller = identify(request) ?? null
    const found = caller?.tier === undefined ? undefined : rules?.get(caller.tier)
    // Remembered rules come without a promise.
    if (found instanceof Promise) return found.then((found) => ofCaller(plan, request, caller, found))
    return ofCaller(plan, request, caller, found)
  }

  function ofCaller(plan: Plan, request: FastifyRequest, caller: Caller | null, found?: TierRules): Check {
    if (caller === null) return checkOf(request, addressOf(request), quotas.ofCaller(plan, false))
    const { key, tier } = caller
    return checkOf(request, key, quotas.ofCaller(plan, true, tier !== undefined && found ? { tier, found } : undefined))
  }

  function isCallerLimited({ isPublic, limit }: Plan): boolean {
    return !isPublic && limit !== 'address' && (limit !== undefined || quotas.hasUserTotal || rules !== undefined)
  }

  return {
    ofAddress: (plan) => byAddress(quotas.ofAddress(plan), plan),
    ofUnknown: () => byAddress(quotas.ofUnknown()),
    ofCaller(plan) {
      if (!isCallerLimited(plan)) return null
      return hook(
        createStage((request) => describe(plan, request)),
        'caller'
      )
    }
  }
}

const addressOf = ({ ip }: FastifyRequest) => `ip:${addressKey(ip)}`

const checkOf = (request: FastifyRequest, client: string, set: PolicySet, next?: Check): Check => ({
  client,
  set,
  cost: 1,
  isBlind: request[told]?.isBlind === true,
  next
})
