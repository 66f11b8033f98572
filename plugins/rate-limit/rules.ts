import { LRUCache } from 'lru-cache'
import type { Policy, Quota } from './policy.ts'

/** A quota that a tier has for one route. */
export interface Rule extends Quota {
  /** Shown in headers. Default: method and path. */
  name?: string | null
  /** Template of the route as the host spells it, e.g. `/notes/:note_id`. */
  path: string
  /** `null`: all methods of the path together, where no rule names the method itself. */
  method?: string | null
}

/** The rules of one tier, until they change. */
export interface TierRules {
  all: readonly Policy[]
  /** The policy for a route, the one for its method first. */
  find(method: string, path: string): Policy | undefined
}

export interface TierRulesOptions {
  load(tier: string): Promise<Rule[]>
  /** Whether changes made elsewhere have been heard of lately; while not, nothing remembered is used. */
  isFresh(): boolean
  now(): number
}

const MAX_TIERS = 1000
/** A load is shared only with requests that begin this soon after it, so none gets an answer much older than itself. */
const SHARED_FOR_MS = 500

interface Flight {
  startedAt: number
  generation: number
  rules: Promise<TierRules>
}

/** Remembers the rules of tiers until the change feed names them. */
export function tierRules({ load, isFresh, now }: TierRulesOptions) {
  const known = new LRUCache<string, TierRules>({ max: MAX_TIERS })
  const flights = new Map<string, Flight>()
  // What was read before a change may be what the change is about: it is not kept.
  let generation = 0

  /** Those that are remembered. Asks nobody. */
  const recall = (tier: string): TierRules | undefined => (isFresh() ? known.get(tier) : undefined)

  function get(tier: string): TierRules | Promise<TierRules> {
    const kept = recall(tier)
    if (kept !== undefined) return kept
    const running = flights.get(tier)
    if (running?.generation === generation && now() - running.startedAt < SHARED_FOR_MS) return running.rules
    const flight: Flight = { startedAt: now(), generation, rules: read(tier, generation) }
    flights.set(tier, flight)
    const land = () => {
      if (flights.get(tier) === flight) flights.delete(tier)
    }
    flight.rules.then(land, land)
    return flight.rules
  }

  async function read(tier: string, begun: number): Promise<TierRules> {
    const rules = indexed(tier, await load(tier))
    if (begun === generation) known.set(tier, rules)
    return rules
  }

  return {
    recall,
    get,
    drop(tier: string): void {
      generation++
      known.delete(tier)
    },
    clear(): void {
      generation++
      known.clear()
    }
  }
}

function indexed(tier: string, rules: Rule[]): TierRules {
  const byRoute = new Map(
    rules.map(({ name, path, method, max, seconds }) => {
      const route = `${method ?? '*'} ${path}`
      return [route, { name: name ?? route, key: `${tier}:${route}`, max, seconds }]
    })
  )
  return {
    all: [...byRoute.values()],
    find: (method, path) => byRoute.get(`${method} ${path}`) ?? byRoute.get(`* ${path}`)
  }
}
