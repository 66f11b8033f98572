import type { Kysely, Transaction } from 'kysely'
import { pageList } from '../../../../../../db/page-list.ts'
import { documentPath } from '../../../../../../db/tiers.ts'
import type { Database, TierRateLimitsTable } from '../../../../../../db/types.ts'

const columns = [
  'tier_rate_limits.public_id as id',
  'tier_rate_limits.name',
  'tier_rate_limits.path',
  'tier_rate_limits.method',
  'tier_rate_limits.limit',
  'tier_rate_limits.period',
  'tier_rate_limits.created_at',
  'tier_rate_limits.updated_at'
] as const

interface RateLimitFields {
  name?: string | null
  path?: string
  method?: TierRateLimitsTable['method']
  limit?: number
  period?: number
}

const ofTier = (db: Kysely<Database>, tier: string) =>
  db
    .selectFrom('tier_rate_limits')
    .innerJoin('tiers', 'tiers.id', 'tier_rate_limits.tier_id')
    .select(columns)
    .where('tiers.name', '=', tier)

export const listRateLimits = pageList(
  (db: Kysely<Database>, { tier }: { tier: string }) => ofTier(db, tier),
  [
    ['tier_rate_limits.path', 'asc'],
    ['tier_rate_limits.id', 'asc']
  ]
)

export function findRateLimit(db: Kysely<Database>, tier: string, id: string) {
  return ofTier(db, tier).where('tier_rate_limits.public_id', '=', id).executeTakeFirst()
}

/** Stored as the document spells it, whatever spelling came in: one route has one rule. */
const spelt = <F extends RateLimitFields>(fields: F): F =>
  fields.path === undefined ? fields : { ...fields, path: documentPath(fields.path) }

export function insertRateLimit(
  trx: Transaction<Database>,
  tier_id: number,
  fields: RateLimitFields & { path: string; limit: number; period: number }
) {
  return trx
    .insertInto('tier_rate_limits')
    .values({ ...spelt(fields), tier_id })
    .returning(columns)
    .executeTakeFirstOrThrow()
}

/** The rule, which nobody else changes until the transaction ends. */
export function lockRateLimit(trx: Transaction<Database>, tier_id: number, id: string) {
  return trx
    .selectFrom('tier_rate_limits')
    .select(columns)
    .where('tier_id', '=', tier_id)
    .where('public_id', '=', id)
    .forNoKeyUpdate()
    .executeTakeFirst()
}

export function updateRateLimit(trx: Transaction<Database>, tier_id: number, id: string, changes: RateLimitFields) {
  return trx
    .updateTable('tier_rate_limits')
    .set(spelt(changes))
    .where('tier_id', '=', tier_id)
    .where('public_id', '=', id)
    .returning(columns)
    .executeTakeFirstOrThrow()
}

export async function deleteRateLimit(trx: Transaction<Database>, tier_id: number, id: string): Promise<void> {
  await trx.deleteFrom('tier_rate_limits').where('tier_id', '=', tier_id).where('public_id', '=', id).execute()
}
