import fastifyRateLimit from '@fastify/rate-limit'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Check, LimitStore, Verdict } from './store.ts'

/** Holds a request against quotas: `describe` says which. */
export type Stage = (request: FastifyRequest) => Promise<{ check: Check; verdict: Verdict }>
export type CreateStage = (describe: (request: FastifyRequest) => Check | Promise<Check>) => Stage

/** What travels as the key. */
interface Carrier {
  check: Check
  verdict?: Verdict
}

/**
 * Stages are made by `createRateLimit()` of @fastify/rate-limit: one for each route and each of the two moments at which it
 * is limited. A call of it knows one key and one maximum, while ours are many, checked together and charged all or none;
 * so the key that the generator hands to the store stands for all of them, and comes back with what the store found.
 * Its decorators stay in a scope of their own: a host may use the package for itself.
 */
export async function createStages(app: FastifyInstance, store: LimitStore): Promise<CreateStage> {
  class Store {
    incr(key: unknown, callback: (error: Error | null, result?: { current: number; ttl: number }) => void): void {
      const carrier = key as Carrier // made by the generator below, and passed on as it is
      Promise.resolve(store.take(carrier.check)).then((verdict) => {
        carrier.verdict = verdict
        callback(null, { current: verdict.isAllowed ? 0 : 2, ttl: 0 })
      }, callback)
    }

    child(): this {
      return this
    }
  }

  let scope: FastifyInstance = app
  await app.register(async (inner) => {
    await inner.register(fastifyRateLimit, { global: false, store: Store, max: 1 })
    scope = inner
  })

  return (describe) => {
    const keyGenerator = async (request: FastifyRequest) => ({ check: await describe(request) }) as unknown as string
    const limit = scope.createRateLimit({ keyGenerator })
    return async (request) => {
      const { key } = await limit(request)
      const { check, verdict } = key as unknown as Carrier // the generator's, see above
      if (verdict === undefined) throw new Error('The store of the rate limits gave no verdict')
      return { check, verdict }
    }
  }
}
