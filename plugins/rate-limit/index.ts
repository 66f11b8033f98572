import type { FastifyInstance, FastifyRequest, RouteOptions } from 'fastify'
import fp from 'fastify-plugin'
import type {} from '../auth/index.ts'
import type {} from '../changes/index.ts'
import type { Guard } from '../redis/index.ts'
import { documented } from './documentation.ts'
import { createEnforcer, type Hook } from './enforce.ts'
import { fallbackStore } from './fallback-store.ts'
import { told } from './headers.ts'
import { type Caller, createLimits, type Limits } from './limits.ts'
import { memoryStore } from './memory-store.ts'
import { observe } from './observe.ts'
import { type Quota, requireQuota } from './policy.ts'
import { createQuotas, type Plan, type RouteLimit } from './quotas.ts'
import { type Rule, tierRules } from './rules.ts'
import { createStages } from './stage.ts'

export interface RateLimitOptions {
  /** Guard of the Redis that all processes count in. Default: each process counts in its memory. */
  guard?: Guard | undefined
  /** Of one address over all routes, before it is known who calls. Default none. */
  perAddress?: Quota
  /** Of one user over all routes. Default none. */
  perUser?: Quota
  /** Of one address on each route with `auth: 'public'` and no limit of its own, and on unknown routes. Default none. */
  perPublicRoute?: Quota
  /** For `limit: true` where the caller's tier has no rule. Default 10 in 3600 s. */
  fallback?: Quota
  /** Who is calling; `null` when anonymous. Default: `request.principal` without a tier. */
  identify?(request: FastifyRequest): Caller | null
  /**
   * Who calls, as far as that is known without asking anybody, before it is made sure of: what `identify` will say. `undefined`:
   * not known yet, or a hook of a scope will refuse the call. Both checks of a call by somebody known are one trip to Redis.
   */
  recall?(request: FastifyRequest): Caller | null | undefined
  /** The rules of a tier. They are remembered until `app.changes` names the tier under the kind `tier`. */
  loadRules?(tier: string): Promise<Rule[]>
  /** Counters kept in memory, about 500 bytes each. Default 80 000, at least 1000. */
  memoryKeys?: number
  /** Send `X-RateLimit-Limit`, `-Remaining` and `-Reset`, too. Default false. */
  legacyHeaders?: boolean
  /** Monotonic clock in milliseconds for what is counted in memory. Default `performance.now`. */
  now?: () => number
}

const addressHook = Symbol('rate-limit.addressHook')

declare module 'fastify' {
  interface FastifyInstance {
    limits: Limits
  }
  interface FastifyContextConfig {
    limit?: RouteLimit
    [addressHook]?: Hook
  }
}

async function rateLimit(app: FastifyInstance, options: RateLimitOptions): Promise<void> {
  const { guard, perAddress, perUser, perPublicRoute, loadRules, memoryKeys = 80_000, legacyHeaders = false } = options
  const {
    fallback = { max: 10, seconds: 3600 },
    identify = principalOf,
    recall,
    now = () => performance.now()
  } = options
  for (const [name, quota] of Object.entries({ perAddress, perUser, perPublicRoute, fallback })) {
    if (quota !== undefined) requireQuota(`\`${name}\``, quota)
  }
  if (!Number.isSafeInteger(memoryKeys) || memoryKeys < 1000) {
    throw new TypeError('rate-limit: `memoryKeys` must be a whole number of at least 1000')
  }

  const memory = memoryStore({ maxKeys: memoryKeys, now })
  const observer = observe(app, { memory, guard, now })
  const store = guard === undefined ? memory : fallbackStore({ guard, memory, now, onFallback: observer.fellBack })
  const createStage = await createStages(app, store)
  const rules = loadRules && rememberedRules(app, loadRules, now)
  const quotas = createQuotas({
    perAddress,
    perUser,
    perPublicRoute,
    fallback,
    onDefault: (route, tier) =>
      app.log.warn({ route, tier, ...fallback }, 'This tier has no rule for a limited route: the default applies')
  })
  app.decorateRequest(told, null)
  app.decorate('limits', createLimits({ store, quotas, rules, identify, withLegacy: legacyHeaders }))

  // In memory both checks are made at once, and a Cluster has them in two slots.
  const isOneTrip = guard !== undefined && !guard.client.isCluster
  const enforcer = createEnforcer({
    ...{ createStage, quotas, rules, identify, observer, withLegacy: legacyHeaders },
    recall: isOneTrip ? recall : undefined
  })

  app.addHook('onRoute', (route) => {
    const plans = plansOf(route)
    for (const plan of plans) quotas.add(plan)
    const before = byMethod(route, plans, enforcer.ofAddress)
    const after = byMethod(route, plans, enforcer.ofCaller)
    if (before !== null) route.config = { ...route.config, [addressHook]: before }
    // Behind the route's own, and behind those that a plugin puts in front of them: by then it is known who calls.
    if (after !== null) route.onRequest = [...[route.onRequest ?? []].flat(), after]
    if (before === null && after === null) return
    const schema = documented(app, route)
    if (schema) route.schema = schema
  })

  const unknown = enforcer.ofUnknown()
  // In front of everything that a route brings along, authentication first of all.
  app.addHook('onRequest', (request, reply, done) => {
    const hook = request.is404 ? unknown : request.routeOptions.config[addressHook]
    if (hook) hook(request, reply, done)
    else done()
  })
}

/** One for each method. None for what is never limited: routes that say so, and preflights. */
function plansOf({ method, url, config, onRequest }: RouteOptions): Plan[] {
  const limit = config?.limit
  if (limit === false) return []
  const methods = new Set([method].flat().map(counted))
  methods.delete('OPTIONS')
  const hasHooks = [onRequest ?? []].flat().length > 0
  return [...methods].map((method) => ({ method, path: url, limit, isPublic: config?.auth === 'public', hasHooks }))
}

function byMethod({ method }: RouteOptions, plans: Plan[], hookOf: (plan: Plan) => Hook | null): Hook | null {
  const hooks = plans.flatMap((plan) => {
    const hook = hookOf(plan)
    return hook === null ? [] : [[plan.method, hook] as const]
  })
  const [only] = hooks
  if (only === undefined) return null
  if (typeof method === 'string') return only[1]
  const ofMethod = new Map(hooks)
  return (request, reply, done) => {
    const hook = ofMethod.get(counted(request.method))
    if (hook) hook(request, reply, done)
    else done()
  }
}

const counted = (method: string) => (method === 'HEAD' ? 'GET' : method)

function principalOf({ principal }: FastifyRequest): Caller | null {
  // Without the plugin `auth` there is no such property.
  return principal ? { key: `user:${principal.id}` } : null
}

function rememberedRules(app: FastifyInstance, load: (tier: string) => Promise<Rule[]>, now: () => number) {
  if (!app.hasDecorator('changes'))
    throw new Error('rate-limit: `loadRules` needs the plugin `changes` before this one')
  const { changes } = app
  const rules = tierRules({ load, isFresh: () => changes.isFresh(), now })
  changes.on('tier', rules.drop)
  changes.onGap(rules.clear)
  return rules
}

export const rateLimitPlugin = fp(rateLimit, { name: 'rate-limit', fastify: '5.x' })
export default rateLimitPlugin
export { RateLimitExceeded } from './errors.ts'
export type { Caller, Limits, Quota, RouteLimit, Rule }
