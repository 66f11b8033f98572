import type { Kysely, Transaction } from 'kysely'
import type { Database } from './types.ts'

/** What proves a live user, and what their password must not be. */
export function findCredentials(db: Kysely<Database>, userId: number) {
  return db
    .selectFrom('users')
    .select(['password_hash', 'email', 'username'])
    .where('id', '=', userId)
    .where('is_active', '=', true)
    .where('deleted_at', 'is', null)
    .executeTakeFirst()
}

/**
 * Holds the user's row until the transaction ends if it is live and its hash is still the one that was verified, before
 * the transaction; then stores `nextHash` where that is another. `false`: what was verified no longer counts.
 */
export async function confirmPassword(
  trx: Transaction<Database>,
  userId: number,
  verifiedHash: string,
  nextHash: string
): Promise<boolean> {
  const row = await trx
    .selectFrom('users')
    .select('id')
    .where('id', '=', userId)
    .where('password_hash', '=', verifiedHash)
    .where('is_active', '=', true)
    .where('deleted_at', 'is', null)
    .forNoKeyUpdate()
    .executeTakeFirst()
  if (row === undefined) return false
  if (nextHash !== verifiedHash) {
    await trx.updateTable('users').set({ password_hash: nextHash }).where('id', '=', userId).execute()
  }
  return true
}
