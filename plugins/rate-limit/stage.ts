import fastifyRateLimit from '@fastify/rate-limit'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Check, LimitStore, Verdict } from './store.ts'

/** What travels as the key: when it comes back, with the verdict. */
export interface Carrier {
  check: Check
  verdict: Verdict
}

/** Holds a request against quotas: `describe` says which. */
export type Stage = (request: FastifyRequest) => Promise<{ key: Carrier }>
export type CreateStage = (describe: (request: FastifyRequest) => Check | Promise<Check>) => Stage

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
      const decided = (verdict: Verdict) => {
        carrier.verdict = verdict
        callback(null, { current: verdict.isAllowed ? 0 : 2, ttl: 0 })
      }
      // Every turn of a promise is felt here: each request comes by twice.
      const verdict = store.take(carrier.check)
      if (verdict instanceof Promise) verdict.then(decided, callback)
      else decided(verdict)
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
    const keyGenerator = (request: FastifyRequest) => {
      const check = describe(request)
      return check instanceof Promise ? check.then((check) => ({ check })) : { check }
    }
    // Its types know keys of text only.
    return scope.createRateLimit({ keyGenerator: keyGenerator as unknown as () => string }) as unknown as Stage
  }
}
