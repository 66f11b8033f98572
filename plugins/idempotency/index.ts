import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify'
import fp from 'fastify-plugin'
import type { Kysely, Transaction } from 'kysely'
import type {} from '../auth/index.ts'
import type { Tables } from '../database/index.ts'
import {
  IdempotencyKeyAnonymous,
  IdempotencyKeyInUse,
  IdempotencyKeyMalformed,
  IdempotencyKeyRequired,
  IdempotencyKeyReused
} from './errors.ts'
import { fingerprint, parseKey } from './key.ts'
import { type Claim, deleteAnswersOf, deleteExpired, findAnswer, lockKey, storeAnswer } from './queries.ts'
import type { IdempotencyKeysTable, IdempotencyTables } from './table.ts'

export interface IdempotencyOptions {
  /** Who is calling, by an id that never changes; `undefined` when anonymous. Keys of one caller mean nothing to another. */
  caller(request: FastifyRequest): string | undefined
  /** How long answers are kept. Default 24. */
  ttlHours?: number
}

export interface Idempotency {
  /** Deletes what is kept for a caller who is no more. */
  forget(trx: Transaction<Tables>, caller: string): Promise<void>
  /** Deletes at most `limit` (1000) expired answers; returns how many. For a clean-up job. */
  prune(db: Kysely<Tables>, options?: { limit?: number }): Promise<number>
}

declare module 'fastify' {
  interface FastifyInstance {
    idempotency: Idempotency
  }
  interface FastifyContextConfig {
    /** Repeated requests with one `Idempotency-Key` have one effect; `'required'` refuses those without a key. */
    idempotent?: true | 'required'
  }
}

async function idempotency(app: FastifyInstance, { caller, ttlHours = 24 }: IdempotencyOptions): Promise<void> {
  if (!Number.isSafeInteger(ttlHours) || ttlHours < 1) throw new Error('idempotency: ttlHours must be an integer ≥ 1')
  /** Requests that came with a key. */
  const claims = new WeakMap<FastifyRequest, { claim: Claim; reply: FastifyReply; fingerprint?: string }>()

  async function claimKey(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const header = request.headers['idempotency-key']
    const { config, method, url = '' } = request.routeOptions
    if (header === undefined) {
      if (config.idempotent === 'required') throw new IdempotencyKeyRequired()
      return
    }
    const key = parseKey(header)
    const who = caller(request)
    if (who === undefined) throw new IdempotencyKeyAnonymous()
    claims.set(request, { claim: { caller: who, route: `${method} ${url}`, key }, reply })
  }

  app.database.participate({
    async begin(trx, request) {
      const claimed = claims.get(request)
      if (claimed === undefined) return undefined
      claimed.fingerprint ??= fingerprint(request)
      const own = trx.withTables<IdempotencyTables>()
      if (!(await lockKey(own, claimed.claim))) throw new IdempotencyKeyInUse()
      const answer = await findAnswer(own, claimed.claim, ttlHours)
      if (answer === undefined) return undefined
      if (answer.fingerprint !== claimed.fingerprint) throw new IdempotencyKeyReused()
      claimed.reply.header('idempotency-replayed', 'true')
      const { status, body, location } = answer
      return { status, body: JSON.parse(body), ...(location !== null && { location }) }
    },
    async commit(trx, request, result) {
      const { claim, fingerprint } = claims.get(request) ?? {}
      if (claim === undefined || fingerprint === undefined || result.status < 200 || result.status > 299) return
      await storeAnswer(trx.withTables<IdempotencyTables>(), { ...claim, fingerprint }, result)
    },
    accompany: (request) => (claims.has(request) ? undefined : null)
  })

  app.decorate('idempotency', {
    forget: (trx, caller) => deleteAnswersOf(trx.withTables<IdempotencyTables>(), caller),
    prune: (db, { limit = 1000 } = {}) => deleteExpired(db.withTables<IdempotencyTables>(), ttlHours, limit)
  })

  app.addHook('onRoute', (route) => {
    const { idempotent, auth } = route.config ?? {}
    if (idempotent === undefined) return
    const name = `${[route.method].flat().join('|')} ${route.url}`
    if (idempotent !== true && idempotent !== 'required') {
      throw new Error(`Route ${name}: config.idempotent must be true or 'required'`)
    }
    if ([route.method].flat().some((method) => method === 'GET' || method === 'HEAD')) {
      throw new Error(`Route ${name}: config.idempotent is for writes; reading is idempotent by itself`)
    }
    if (auth === 'public')
      throw new Error(`Route ${name}: config.idempotent needs callers, config.auth must not be public`)
    route.preValidation = [claimKey, ...[route.preValidation ?? []].flat()]
    route.schema = documented(route, idempotent === 'required', app.getSchema('Error') !== undefined)
  })
}

/** The route's schema with the header and the answers that it brings. */
function documented({ schema }: RouteOptions, isRequired: boolean, hasErrorSchemas: boolean) {
  // Fastify types the parts of a schema as unknown; what a route says itself comes first.
  const headers = (schema?.headers ?? { type: 'object' }) as { properties?: object; required?: string[] }
  const withHeader = {
    ...schema,
    headers: {
      ...headers,
      properties: { 'idempotency-key': header, ...headers.properties },
      ...(isRequired && { required: ['idempotency-key', ...(headers.required ?? [])] })
    }
  }
  if (!hasErrorSchemas || !schema?.response) return withHeader
  const running = {
    ...errorResponse('The first request with this key is still running'),
    headers: { 'Retry-After': retry }
  }
  const own = Object.entries(schema.response as Record<string, { headers?: object }>).map(([status, answer]) => [
    status,
    status.startsWith('2') ? { ...answer, headers: { 'Idempotency-Replayed': replayed, ...answer.headers } } : answer
  ])
  return { ...withHeader, response: { 409: running, 422: errorResponse(reused), ...Object.fromEntries(own) } }
}

const retry = { type: 'string', description: 'Seconds after which to ask again' }
const replayed = {
  type: 'string',
  description: '`true` when this is the answer to an earlier request with the same key'
}
const reused = 'The key was used with another request'

const header = {
  type: 'string',
  description:
    'Makes the request safe to repeat: a string of 1 to 255 characters, new for each thing to do, e.g. a UUID. The same ' +
    'request with the same key is answered as the first time, with `Idempotency-Replayed: true`.',
  examples: ['"8e03978e-40d5-43dd-bc93-6894a57f9324"']
}

const errorResponse = (description: string) => ({
  description,
  content: {
    'application/json': { schema: { $ref: 'Error#' } },
    'application/problem+json': { schema: { $ref: 'Problem#' } }
  }
})

export const idempotencyPlugin = fp(idempotency, { name: 'idempotency', fastify: '5.x', dependencies: ['database'] })
export default idempotencyPlugin
export * as idempotencyMigration from './migration.ts'
export type { IdempotencyKeysTable }
export {
  IdempotencyKeyAnonymous,
  IdempotencyKeyInUse,
  IdempotencyKeyMalformed,
  IdempotencyKeyRequired,
  IdempotencyKeyReused
}
