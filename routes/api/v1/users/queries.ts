import { type Kysely, sql, type Transaction } from 'kysely'
import { dormantPermissionsOfUser, isAdminUser, isDormantAdmin, permissionsOfUser } from '../../../../db/permissions.ts'
import type { Database } from '../../../../db/types.ts'
import { rolesOfUser, userColumns } from '../../../../db/users.ts'

const complete = [
  'users.id as user_id',
  ...userColumns,
  rolesOfUser.as('roles'),
  permissionsOfUser.as('permissions'),
  isAdminUser.as('is_admin')
] as const

/** A user who is not deleted, with what they may do. */
export function findUser(db: Kysely<Database>, id: string) {
  return db
    .selectFrom('users')
    .select(complete)
    .where('public_id', '=', id)
    .where('deleted_at', 'is', null)
    .executeTakeFirst()
}

/**
 * The same, also deleted ones on request, and nobody else changes the row until the transaction ends. Read after the lock:
 * the roles that were given while this waited are there.
 */
export async function lockUser(trx: Transaction<Database>, id: string, which: 'live' | 'deleted' | 'any' = 'live') {
  await trx.selectFrom('users').select('id').where('public_id', '=', id).forNoKeyUpdate().execute()
  const user = trx.selectFrom('users').select(complete).where('public_id', '=', id)
  if (which === 'any') return user.executeTakeFirst()
  return user.where('deleted_at', which === 'live' ? 'is' : 'is not', null).executeTakeFirst()
}

/** What a user may do, or could if all their roles were active: who takes their account over takes that, too. */
export function findDormantRights(trx: Transaction<Database>, userId: number) {
  return trx
    .selectFrom('users')
    .select([dormantPermissionsOfUser.as('permissions'), isDormantAdmin.as('is_admin')])
    .where('id', '=', userId)
    .executeTakeFirstOrThrow()
}

export interface AccountFields {
  username?: string
  email?: string
  name?: string | null
  profile_image_url?: string | null
  is_active?: boolean
  is_verified?: boolean
}

/** A taken e-mail address or username is SQLSTATE 23505. */
export async function updateUser(trx: Transaction<Database>, userId: number, changes: AccountFields): Promise<void> {
  await trx.updateTable('users').set(changes).where('id', '=', userId).execute()
}

/** Hides the user; their e-mail address and username are free again. */
export async function hideUser(trx: Transaction<Database>, userId: number): Promise<void> {
  await trx.updateTable('users').set({ deleted_at: sql<string>`now()` }).where('id', '=', userId).execute()
}

/** Their e-mail address and username may be taken by now: SQLSTATE 23505. */
export async function showUser(trx: Transaction<Database>, userId: number): Promise<void> {
  await trx.updateTable('users').set({ deleted_at: null }).where('id', '=', userId).execute()
}

/** What hangs on the row goes with it, by its foreign keys. */
export async function removeUser(trx: Transaction<Database>, userId: number): Promise<void> {
  await trx.deleteFrom('users').where('id', '=', userId).execute()
}
