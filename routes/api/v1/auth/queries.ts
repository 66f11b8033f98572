import type { Kysely, Transaction } from 'kysely'
import type { Database } from '../../../../db/types.ts'

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

/** Sets an address whose mail was read by the user. Taken by another: SQLSTATE 23505. */
export async function setVerifiedEmail(trx: Transaction<Database>, userId: number, email: string): Promise<void> {
  await trx.updateTable('users').set({ email, is_verified: true }).where('id', '=', userId).execute()
}
