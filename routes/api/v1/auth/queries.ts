import type { Kysely, Transaction } from 'kysely'
import type { Database } from '../../../../db/types.ts'

/**
 * Holds the user's row until the transaction ends if it is live and its hash is still the one that was verified,
 * and stores the upgraded hash when there is one.
 */
export async function confirmPassword(
  trx: Transaction<Database>,
  userId: number,
  verifiedHash: string,
  upgradedHash: string
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
  if (upgradedHash !== verifiedHash) {
    await trx.updateTable('users').set({ password_hash: upgradedHash }).where('id', '=', userId).execute()
  }
  return true
}

/** The public id of an active user. */
export async function findActiveUser(db: Kysely<Database>, userId: number): Promise<string | undefined> {
  const row = await db
    .selectFrom('users')
    .select('public_id')
    .where('id', '=', userId)
    .where('is_active', '=', true)
    .where('deleted_at', 'is', null)
    .executeTakeFirst()
  return row?.public_id
}

/** The public id of the user behind a session, live or not. */
export async function findUserOfSession(db: Kysely<Database>, sessionId: string): Promise<string | null> {
  const row = await db
    .selectFrom('sessions')
    .innerJoin('users', 'users.id', 'sessions.user_id')
    .select('users.public_id')
    .where('sessions.id', '=', sessionId)
    .executeTakeFirst()
  return row?.public_id ?? null
}
