import { type Kysely, sql, type Transaction } from 'kysely'
import { compiled } from './compiled.ts'
import type { Database } from './types.ts'

/** What the routes that make users, and those of tiers, take from the host. */
export interface DefaultTierOptions {
  /** The tier that new users get: it is neither renamed nor deleted. */
  defaultTier: string
}

export const tierColumns = ['tiers.public_id as id', 'tiers.name', 'tiers.created_at', 'tiers.updated_at'] as const

/** The name of a user's tier. */
export const tierOfUser = sql<string>`(select tiers.name from tiers where tiers.id = users.tier_id)`

export function findTier(db: Kysely<Database>, name: string) {
  return db.selectFrom('tiers').select(tierColumns).where('name', '=', name).executeTakeFirst()
}

export function insertTier(trx: Transaction<Database>, name: string) {
  return trx.insertInto('tiers').values({ name }).returning(tierColumns).executeTakeFirstOrThrow()
}

/** The rate limits of the tier with this public id, as the plugin of the rate limits takes them. */
export async function loadTierRules(db: Kysely<Database>, id: string) {
  const rows = await selectRules.execute(db, { id })
  return rows.map((rule) => ({ ...rule, path: routeTemplate(rule.path) }))
}

const selectRules = compiled(
  (db: Kysely<Database>, { id }: { id: string }) =>
    db
      .selectFrom('tier_rate_limits')
      .innerJoin('tiers', 'tiers.id', 'tier_rate_limits.tier_id')
      .select([
        'tier_rate_limits.name',
        'tier_rate_limits.path',
        'tier_rate_limits.method',
        'tier_rate_limits.limit as max',
        'tier_rate_limits.period as seconds'
      ])
      .where('tiers.public_id', '=', id),
  { shortRead: true }
)

/** A path as the OpenAPI document spells it: `/todos/{todo_id}`. */
export const documentPath = (path: string) => path.replaceAll(/:(\w+)/g, '{$1}')
/** The same as the router does: `/todos/:todo_id`. */
export const routeTemplate = (path: string) => path.replaceAll(/\{(\w+)\}/g, ':$1')
