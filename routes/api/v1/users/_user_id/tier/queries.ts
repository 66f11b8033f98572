import type { Kysely, Transaction } from 'kysely'
import { tierColumns } from '../../../../../../db/tiers.ts'
import type { Database } from '../../../../../../db/types.ts'

export function findTierOf(db: Kysely<Database>, userId: string) {
  return db
    .selectFrom('users')
    .innerJoin('tiers', 'tiers.id', 'users.tier_id')
    .select(tierColumns)
    .where('users.public_id', '=', userId)
    .where('users.deleted_at', 'is', null)
    .executeTakeFirst()
}

/** `undefined` when there is no such tier; until the transaction ends it is not deleted either. */
export async function assignTier(trx: Transaction<Database>, userId: number, name: string) {
  const tier = await trx
    .selectFrom('tiers')
    .select(['tiers.id as tier_id', ...tierColumns])
    .where('name', '=', name)
    .forKeyShare()
    .executeTakeFirst()
  if (tier === undefined) return undefined
  const { tier_id, ...shown } = tier
  await trx.updateTable('users').set({ tier_id }).where('id', '=', userId).execute()
  return shown
}
