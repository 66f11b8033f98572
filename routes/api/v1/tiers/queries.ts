import type { Kysely, Transaction } from 'kysely'
import { pageList } from '../../../../db/page-list.ts'
import { tierColumns } from '../../../../db/tiers.ts'
import type { Database } from '../../../../db/types.ts'

export const listTiers = pageList(
  (db: Kysely<Database>) => db.selectFrom('tiers').select(tierColumns),
  [['tiers.name', 'asc']]
)

/** The tier, held until the transaction ends: nobody else changes it, and nothing refers to it anew (`forUpdate`). */
export function lockTier(
  trx: Transaction<Database>,
  name: string,
  lock: 'forNoKeyUpdate' | 'forUpdate' | 'forKeyShare'
) {
  const tier = trx
    .selectFrom('tiers')
    .select(['tiers.id as tier_id', ...tierColumns])
    .where('name', '=', name)
  return tier[lock]().executeTakeFirst()
}

export function renameTier(trx: Transaction<Database>, tierId: number, name: string) {
  return trx
    .updateTable('tiers')
    .set({ name })
    .where('id', '=', tierId)
    .returning(tierColumns)
    .executeTakeFirstOrThrow()
}

/** Whether any user has the tier; a deleted one may come back with it. */
export async function isTierUsed(trx: Transaction<Database>, tierId: number): Promise<boolean> {
  const row = await trx.selectFrom('users').select('id').where('tier_id', '=', tierId).limit(1).executeTakeFirst()
  return row !== undefined
}

/** With its rate limits. */
export async function deleteTier(trx: Transaction<Database>, tierId: number): Promise<void> {
  await trx.deleteFrom('tiers').where('id', '=', tierId).execute()
}
