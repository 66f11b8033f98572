import type { Kysely } from 'kysely'
import type { Database } from './types.ts'

/**
 * The addresses from which the owner of an account is signed in, or was until they signed out or the session ran out; the
 * last used first, 100 at most. Sessions that were ended for a suspicion make no address familiar.
 *
 * @param account what `normalizeIdentifier` made of an e-mail address or username
 */
export async function findFamiliarAddresses(db: Kysely<Database>, account: string): Promise<string[]> {
  const rows = await db
    .selectFrom('sessions')
    .innerJoin('users', 'users.id', 'sessions.user_id')
    .select('sessions.ip')
    .where(account.includes('@') ? 'users.email' : 'users.username', '=', account)
    .where('users.deleted_at', 'is', null)
    .where((eb) => eb.or([eb('revoked_at', 'is', null), eb('revoked_reason', 'in', ['logout', 'limit'])]))
    .groupBy('sessions.ip')
    .orderBy((eb) => eb.fn.max('sessions.last_used_at'), 'desc')
    .limit(100)
    .execute()
  return rows.flatMap(({ ip }) => ip ?? [])
}
