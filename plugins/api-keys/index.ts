import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { Kysely, Transaction } from 'kysely'
import { LRUCache } from 'lru-cache'
import type {} from '../changes/index.ts'
import type { Tables } from '../database/index.ts'
import { ScopesNotNarrower, TooManyApiKeys } from './errors.ts'
import { isSameHash, type KeyProof, keyTexts } from './key-text.ts'
import * as queries from './queries.ts'
import type { ApiKeysTable, ApiKeysTables } from './table.ts'
import type { ApiKeySummary, ApiKeys, FoundKey, IssuedKey } from './types.ts'
import { createUsage } from './usage.ts'

export interface ApiKeysOptions {
  /** What every key begins with: 2 to 10 lower-case letters and digits. Default `pl`. */
  prefix?: string
  /** How long a key lives unless told otherwise, in days. Default 30. */
  defaultDays?: number
  /** How long a key may live at most, in days. Default 365. */
  maxDays?: number
  /** Keys of one user. Default 50. */
  maxKeys?: number
  /** Milliseconds since 1970, for when a use is written. Default `Date.now`. */
  now?: () => number
}

declare module 'fastify' {
  interface FastifyInstance {
    apiKeys: ApiKeys
  }
}

/** Hashes of keys that do not exist. They never will: a key is chosen here, at random, and not by whoever sends one. */
const MAX_UNKNOWN = 10_000

async function apiKeys(app: FastifyInstance, options: ApiKeysOptions): Promise<void> {
  const { prefix = 'pl', defaultDays = 30, maxDays = 365, maxKeys = 50, now = Date.now } = options
  if (!/^[a-z0-9]{2,10}$/.test(prefix)) throw new Error('api-keys: prefix must be 2 to 10 of a–z and 0–9')
  requireInteger('maxDays', maxDays, 36_500)
  requireInteger('defaultDays', defaultDays, maxDays)
  requireInteger('maxKeys', maxKeys, 1000)
  const texts = keyTexts(prefix)
  const db = withKeys(app.db)
  // `max` would reserve its whole space at the start.
  const unknown = new LRUCache<string, true>({ maxSize: MAX_UNKNOWN, sizeCalculation: () => 1 })
  const usage = createUsage({
    write: (ids) => queries.touchKeys(db, ids),
    onFailure: (err) => app.log.error({ err }, 'The last use of API keys could not be written'),
    now
  })
  app.addHook('onClose', usage.flush)

  function checkDays(days: number): number {
    if (Number.isSafeInteger(days) && days >= 1 && days <= maxDays) return days
    throw new RangeError(`An API key lives for 1 to ${maxDays} days`)
  }

  async function revoke(trx: Transaction<Tables>, userId: number, id?: string): Promise<number> {
    const revoked = await queries.revokeKeys(withKeys(trx), userId, id)
    for (const key of revoked) await app.changes.record(trx, 'api_key', key)
    return revoked.length
  }

  app.decorate('apiKeys', {
    read: texts.read,
    isUnknown: ({ hash }) => unknown.has(hash),
    noteUse: usage.note,

    async find({ id, hash }) {
      if (unknown.has(hash)) return null
      const row = await queries.findKey(db, id)
      const isCurrent = row !== undefined && isSameHash(row.secret_hash, hash)
      const isPrevious = row?.previous_hash != null && isSameHash(row.previous_hash, hash)
      if (row === undefined || !(isCurrent || isPrevious)) {
        unknown.set(hash, true)
        return null
      }
      if (!row.is_live || !(isCurrent || row.is_previous_live)) return null
      const valid_until = isCurrent ? row.expires_at : (row.previous_until ?? row.expires_at)
      return { id, user_id: row.user_id, scopes: row.scopes, valid_until }
    },

    async create(trx, { days = defaultDays, ...key }) {
      checkDays(days)
      const own = withKeys(trx)
      if ((await queries.countKeys(own, key.user_id)) >= maxKeys) throw new TooManyApiKeys(maxKeys)
      const { text, ...proof } = texts.create()
      return { ...(await queries.insertKey(own, proof, key, days)), text }
    },

    list: (handle, userId) => queries.listKeys(withKeys(handle), userId, maxKeys),
    get: (handle, userId, id) => queries.getKey(withKeys(handle), userId, id),

    lock: (trx, userId, id) => queries.lockKey(withKeys(trx), userId, id),

    async update(trx, userId, id, changes) {
      const own = withKeys(trx)
      const key = await queries.lockKey(own, userId, id)
      if (key === undefined) return undefined
      if (changes.scopes?.some((scope) => !key.scopes.includes(scope))) throw new ScopesNotNarrower()
      await app.changes.record(trx, 'api_key', key.id)
      return queries.updateKey(own, userId, id, changes)
    },

    async rotate(trx, userId, id, { days = defaultDays, overlapSeconds }) {
      checkDays(days)
      const { text, ...proof } = texts.create(id.toLowerCase())
      const rotated = await queries.rotateKey(withKeys(trx), userId, proof, days, overlapSeconds)
      if (rotated === undefined) return undefined
      await app.changes.record(trx, 'api_key', rotated.id)
      return { ...rotated, text }
    },

    revoke: async (trx, userId, id) => (await revoke(trx, userId, id)) > 0,
    revokeAll: (trx, userId) => revoke(trx, userId),
    prune: (handle, { keepDays = 30, limit = 1000 } = {}) => queries.deleteDeadKeys(withKeys(handle), keepDays, limit)
  })
}

/** The same handle, with this plugin's table among its types. */
const withKeys = (db: Kysely<Tables>): Kysely<ApiKeysTables> => db.withTables<ApiKeysTables>()

function requireInteger(name: string, value: number, max: number): void {
  if (Number.isSafeInteger(value) && value >= 1 && value <= max) return
  throw new Error(`api-keys: ${name} must be an integer from 1 to ${max}`)
}

export const apiKeysPlugin = fp(apiKeys, { name: 'api-keys', fastify: '5.x', dependencies: ['changes'] })
export default apiKeysPlugin
export { apiKeysMigration } from './migration.ts'
export type { ApiKeySummary, ApiKeys, ApiKeysTable, FoundKey, IssuedKey, KeyProof }
export { ScopesNotNarrower, TooManyApiKeys }
