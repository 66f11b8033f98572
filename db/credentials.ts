import type { Kysely, Transaction } from 'kysely'
import { compiled } from './compiled.ts'
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

/** Sets a password in the place of a forgotten one; that its mail was read proves the address, too. */
export async function replacePassword(
  trx: Transaction<Database>,
  userId: number,
  password_hash: string
): Promise<void> {
  await trx.updateTable('users').set({ password_hash, is_verified: true }).where('id', '=', userId).execute()
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
  const row = await holdVerified.executeTakeFirst(trx, { userId, verifiedHash })
  if (row === undefined) return false
  if (nextHash !== verifiedHash) {
    await trx.updateTable('users').set({ password_hash: nextHash }).where('id', '=', userId).execute()
  }
  return true
}

const holdVerified = compiled(
  (trx: Kysely<Database>, { userId, verifiedHash }: { userId: number; verifiedHash: string }) =>
    trx
      .selectFrom('users')
      .select('id')
      .where('id', '=', userId)
      .where('password_hash', '=', verifiedHash)
      .where('is_active', '=', true)
      .where('deleted_at', 'is', null)
      .forNoKeyUpdate()
)
