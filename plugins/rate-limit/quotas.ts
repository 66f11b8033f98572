import { type Policy, type PolicySet, policySet, type Quota, requireQuota } from './policy.ts'
import type { TierRules } from './rules.ts'

/** Calls of one user (of one address when anonymous) to whatever shares the service's name. */
export interface ServiceLimit extends Quota {
  /** `[a-z][a-z0-9_]*`; routes that name the same service share its counter and must agree on max and seconds. */
  service: string
}

/**
 * `true`: the rule of the caller's tier, or else the default. `'address'`: only what is counted by address.
 * `false`: never limited, by nothing.
 */
export type RouteLimit = boolean | 'address' | ServiceLimit

/** A route and what it says of its limits. */
export interface Plan {
  /** HEAD counts as GET. */
  method: string
  path: string
  limit: true | 'address' | ServiceLimit | undefined
  /** Nobody is ever known on it: all of its quotas are those of the address. */
  isPublic: boolean
  /** It has `onRequest` hooks of its own, which may refuse a call between its two checks. */
  hasHooks: boolean
}

export interface QuotaOptions {
  perAddress: Quota | undefined
  perUser: Quota | undefined
  perPublicRoute: Quota | undefined
  fallback: Quota
  /** Called once for each tier and route that is limited by the default for want of a rule. */
  onDefault(route: string, tier: string): void
}

export interface Quotas {
  /** Registers what a route declares. @throws {TypeError} for a limit that cannot be */
  add(plan: Plan): void
  /** @throws {TypeError} for a limit that cannot be, or that a route declares otherwise under the same name */
  requireService(what: string, limit: ServiceLimit): void
  readonly hasUserTotal: boolean
  /** What a call is held against before anybody knows who calls; `null`: nothing. */
  ofAddress(plan: Plan): PolicySet | null
  /** What it is held against when that is known; without rules for somebody anonymous or without a tier. */
  ofCaller(plan: Plan, isUser: boolean, rules?: { tier: string; found: TierRules }): PolicySet
  /** Everything that a user has, wherever they may go. */
  ofUser(rules: TierRules | undefined): PolicySet
  /** For what no route matches. */
  ofUnknown(): PolicySet | null
  isRoute(path: string, method: string | null): boolean
}

const MAX_WARNINGS = 1000

/** Names with a hyphen or a space: no service is called like that. */
const perAddressName = 'per-address'
const perUserName = 'per-user'

export function createQuotas(options: QuotaOptions): Quotas {
  const { perAddress, perUser, perPublicRoute, fallback, onDefault } = options
  const plans = new Map<string, Plan>()
  const services = new Map<string, ServiceLimit>()
  const anonymousSets = new WeakMap<Plan, PolicySet>()
  const userSets = new WeakMap<Plan, PolicySet>()
  const ruleSets = new WeakMap<TierRules, WeakMap<Plan, PolicySet>>()
  const warned = new Set<string>()
  const named = (name: string, quota: Quota | undefined): Policy[] =>
    quota === undefined ? [] : [{ name, key: name, max: quota.max, seconds: quota.seconds }]
  const serviceOf = ({ limit }: Plan) => (typeof limit === 'object' ? named(limit.service, limit) : [])
  const totalOf = (isUser: boolean) => (isUser ? named(perUserName, perUser) : [])
  const defaultOf = (plan: Plan) => (plan.limit === true ? named(routeName(plan), fallback) : [])

  function add(plan: Plan): void {
    const { limit } = plan
    const what = `config.limit of ${routeName(plan)}`
    if (typeof limit === 'object') {
      requireService(what, limit)
      services.set(limit.service, limit)
    } else if (limit !== undefined && limit !== true && limit !== 'address') {
      throw new TypeError(`rate-limit: ${what} must be true, false, 'address' or { service, max, seconds }`)
    }
    plans.set(routeName(plan), plan)
  }

  function requireService(what: string, limit: ServiceLimit): void {
    requireQuota(what, limit)
    if (typeof limit.service !== 'string' || !/^[a-z][a-z0-9_]{0,63}$/.test(limit.service)) {
      throw new TypeError(`rate-limit: ${what} needs a \`service\` of lower-case letters, digits and "_"`)
    }
    const other = services.get(limit.service)
    if (other !== undefined && (other.max !== limit.max || other.seconds !== limit.seconds)) {
      throw new TypeError(`rate-limit: ${what} and a route disagree on the service ${limit.service}`)
    }
  }

  function ofCaller(plan: Plan, isUser: boolean, rules?: { tier: string; found: TierRules }): PolicySet {
    if (rules === undefined) {
      return memoized(isUser ? userSets : anonymousSets, plan, () =>
        policySet([...defaultOf(plan), ...serviceOf(plan), ...totalOf(isUser)])
      )
    }
    const sets = memoized(ruleSets, rules.found, () => new WeakMap<Plan, PolicySet>())
    return memoized(sets, plan, () => {
      const rule = rules.found.find(plan.method, plan.path)
      if (rule === undefined && plan.limit === true) warnOnce(routeName(plan), rules.tier)
      return policySet([...(rule === undefined ? defaultOf(plan) : [rule]), ...serviceOf(plan), ...totalOf(isUser)])
    })
  }

  function warnOnce(route: string, tier: string): void {
    const what = `${tier} ${route}`
    if (warned.has(what) || warned.size === MAX_WARNINGS) return
    warned.add(what)
    onDefault(route, tier)
  }

  return {
    add,
    requireService,
    hasUserTotal: perUser !== undefined,
    ofAddress(plan) {
      const own = plan.limit === undefined ? named(routeName(plan), perPublicRoute) : []
      const ofRoute = plan.isPublic ? [...own, ...defaultOf(plan), ...serviceOf(plan)] : []
      const policies = [...ofRoute, ...named(perAddressName, perAddress)]
      return policies.length === 0 ? null : policySet(policies)
    },
    ofCaller,
    ofUser(rules) {
      const unruled = [...plans.values()].filter(
        (plan) => !plan.isPublic && rules?.find(plan.method, plan.path) === undefined
      )
      const declared = [...services.values()].flatMap((limit) => named(limit.service, limit))
      return policySet([
        ...(rules?.all ?? []),
        ...unruled.flatMap(defaultOf),
        ...declared,
        ...named(perUserName, perUser)
      ])
    },
    ofUnknown() {
      const policies = [...named('unknown route', perPublicRoute), ...named(perAddressName, perAddress)]
      return policies.length === 0 ? null : policySet(policies)
    },
    isRoute: (path, method) =>
      [...plans.values()].some(
        (plan) => takesRules(plan) && plan.path === path && (method === null || plan.method === method)
      )
  }
}

/** Nobody has a tier on a public route. */
const takesRules = ({ isPublic, limit }: Plan) => !isPublic && limit !== 'address'

const routeName = ({ method, path }: Plan) => `${method} ${path}`

function memoized<K extends object, V>(map: WeakMap<K, V>, key: K, make: () => V): V {
  const known = map.get(key)
  if (known !== undefined) return known
  const made = make()
  map.set(key, made)
  return made
}
