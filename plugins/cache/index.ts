import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type {} from '../auth/index.ts'
import type {} from '../metrics/index.ts'
import { createEntries, type Result } from './entries.ts'
import { memoryStore } from './memory-store.ts'
import type { RouteCache } from './policy.ts'
import { cacheRoutes, type Json } from './routes.ts'
import type { CacheStore } from './store.ts'

export interface CacheOptions {
  /**
   * Where answers are kept. Default: the memory of this process. `null` keeps nothing, which is what a service of several
   * processes without Redis should do: a change made by one must reach all.
   */
  store?: CacheStore | null
  /** Who is calling, by an id that never changes; `null` when anonymous. Answers of one caller never reach another. */
  caller(request: FastifyRequest): string | null
  /** What else the answers of a route that is not `shared` depend on, e.g. roles or a language, as JSON. Default: nothing. */
  variant?(request: FastifyRequest): Json
  /** Request headers that say who is calling, for `Vary`. Default `['Authorization']`. */
  vary?: readonly string[]
  /** Default `ttl` of routes, in seconds. Default 3600. */
  defaultTtlSeconds?: number
  /** `max-age` of routes with `client: true`. Default 60. */
  clientMaxAgeSeconds?: number
  /** How long a request waits for another one that makes the same answer, in milliseconds. Default 5000. */
  waitMs?: number
  /** Longer bodies, in characters, are not kept. Default 1 Mi. */
  maxBodySize?: number
  /** Milliseconds since 1970. Default `Date.now`. */
  now?: () => number
}

export interface ValueTerms {
  /** Seconds. Default: that of the plugin. */
  ttl?: number
  /** Seconds beyond it in which the old value is still given out while a new one is made. Default 0. */
  stale?: number
  /** Further tags beside the key. */
  tags?: readonly string[]
}

/** For values that are no answers. They are JSON; the key is a tag; every fault of the store is a miss. */
export interface Cache {
  get<T>(key: string): Promise<T | undefined>
  /** Prefer `wrap`: a value that was read before a change and is set after it is an old one. */
  set(key: string, value: unknown, terms?: ValueTerms): Promise<void>
  /** The kept value, else that of `make`, which runs once for all who ask at the same moment. */
  wrap<T>(key: string, terms: ValueTerms, make: () => Promise<T>): Promise<T>
  /** Drops whatever carries one of the tags. What cannot be written now is written before anybody here reads again. */
  invalidate(...tags: string[]): Promise<void>
}

declare module 'fastify' {
  interface FastifyInstance {
    cache: Cache
  }
  interface FastifyContextConfig {
    cache?: RouteCache
  }
}

async function cache(app: FastifyInstance, options: CacheOptions): Promise<void> {
  const { store = memoryStore(), caller, variant = () => null, vary = ['Authorization'], now = Date.now } = options
  const { defaultTtlSeconds = 3600, clientMaxAgeSeconds = 60, waitMs = 5000, maxBodySize = 1024 * 1024 } = options
  if (typeof caller !== 'function')
    throw new TypeError('cache: `caller` must be a function; who calls is part of a key')
  const entries = createEntries({ store, now, waitMs, maxBodySize })
  const figures = observe(app, store)

  async function invalidate(tags: readonly string[]): Promise<void> {
    figures.invalidated(tags.length)
    await entries.invalidate(tags)
  }

  const termsOf = ({ ttl = defaultTtlSeconds, stale = 0 }: ValueTerms) => ({
    ttlMs: ttl * 1000,
    staleMs: stale * 1000,
    namesTags: true
  })
  const valueKey = (key: string) => JSON.stringify(['value', key])
  const toPayload = (value: unknown) => ({ body: JSON.stringify(value) ?? 'null', type: '', etag: undefined })

  app.decorate('cache', {
    async get(key) {
      const payload = await entries.peek(valueKey(key))
      return payload && JSON.parse(payload.body)
    },
    async set(key, value, terms = {}) {
      await entries.invalidate([key])
      const { settle } = await entries.open(valueKey(key), [key, ...(terms.tags ?? [])], termsOf(terms))
      settle?.(toPayload(value))
    },
    async wrap(key, terms, make) {
      const { result, payload, settle } = await entries.open(
        valueKey(key),
        [key, ...(terms.tags ?? [])],
        termsOf(terms)
      )
      figures.asked(result)
      if (payload !== undefined) return JSON.parse(payload.body)
      try {
        const value = await make()
        settle?.(toPayload(value))
        return value
      } catch (error) {
        settle?.(null)
        throw error
      }
    },
    invalidate: (...tags) => invalidate(tags)
  })
  cacheRoutes(app, {
    ...{ entries, caller, variant, vary, defaultTtlSeconds, clientMaxAgeSeconds, invalidate },
    onResult: figures.asked
  })
}

/** For hosts that have the plugin `metrics`. */
function observe(app: FastifyInstance, store: CacheStore | null) {
  if (!app.hasDecorator('metrics')) return { asked: () => undefined, invalidated: () => undefined }
  const requests = app.metrics.counter('cache_requests_total', 'Look-ups in the cache by result.', ['result'])
  const results = {
    hit: requests.bind({ result: 'hit' }),
    miss: requests.bind({ result: 'miss' }),
    stale: requests.bind({ result: 'stale' }),
    bypass: requests.bind({ result: 'bypass' })
  }
  const invalidations = app.metrics.counter('cache_invalidations_total', 'Tags that were invalidated.')
  app.metrics.gauge(
    'cache_pending_invalidations',
    'Tags whose invalidation waits for the store.',
    () => store?.pending?.() ?? 0
  )
  return {
    asked: (result: Result) => results[result].inc(),
    invalidated: (count: number) => invalidations.inc(undefined, count)
  }
}

export const cachePlugin = fp(cache, { name: 'cache', fastify: '5.x' })
export default cachePlugin
export { type MemoryStoreOptions, memoryStore } from './memory-store.ts'
export { type CacheGuard, type RedisStoreOptions, redisStore } from './redis-store.ts'
export { encode } from './template.ts'
export type { CacheStore, RouteCache }
