import { type Kysely, sql, type Transaction } from 'kysely'
import type { Database } from './types.ts'

/** What a person may see of their own account. */
export const userColumns = [
  'users.public_id as id',
  'users.username',
  'users.email',
  'users.name',
  'users.profile_image_url',
  'users.is_active',
  'users.is_verified',
  'users.created_at',
  'users.updated_at'
] as const

/** E-mail addresses are compared in lower case; the schema admits ASCII only, so look-alikes cannot meet. */
export const normalizeEmail = (text: string) => text.toLowerCase()

/** NFKC and lower case; `null` when the result is no username (no `@`: it could pass for an e-mail address). */
export function normalizeUsername(text: string): string | null {
  const username = text.normalize('NFKC').toLowerCase()
  return /^[a-z0-9][a-z0-9_.-]{2,29}$/.test(username) ? username : null
}

export interface NewUser {
  email: string
  username: string
  name?: string | null
  password_hash: string
  is_verified?: boolean
}

/** Adds a user with one role and returns its keys. A taken e-mail or username is SQLSTATE 23505. */
export async function insertUser(trx: Transaction<Database>, user: NewUser, role: 'admin' | 'user') {
  const inserted = await trx
    .insertInto('users')
    .values(user)
    .returning(['id as user_id', ...userColumns])
    .executeTakeFirstOrThrow()
  await trx
    .insertInto('user_roles')
    .columns(['user_id', 'role_id'])
    .expression((eb) =>
      eb
        .selectFrom('roles')
        .select((e) => [e.val(inserted.user_id).as('user_id'), 'roles.id'])
        .where('roles.name', '=', role)
    )
    .execute()
  return { ...inserted, roles: [role] }
}

/** The live user behind an e-mail address or a username. */
export function findUserByIdentifier(db: Kysely<Database>, identifier: string) {
  const name = identifier.includes('@') ? normalizeEmail(identifier) : (normalizeUsername(identifier) ?? '')
  return db
    .selectFrom('users')
    .select(['users.id as user_id', 'users.password_hash', ...userColumns, rolesOfUser.as('roles')])
    .where(identifier.includes('@') ? 'users.email' : 'users.username', '=', name)
    .where('users.deleted_at', 'is', null)
    .executeTakeFirst()
}

/** The names of a user's active roles. */
export const rolesOfUser = sql<string[]>`array(
  select roles.name from user_roles join roles on roles.id = user_roles.role_id
  where user_roles.user_id = users.id and roles.is_active order by roles.name)`

/** Whether an active user holds an active role with the administrator flag. */
export async function isAdmin(db: Kysely<Database>, userId: number): Promise<boolean> {
  const row = await db
    .selectFrom('user_roles')
    .innerJoin('roles', 'roles.id', 'user_roles.role_id')
    .select('roles.id')
    .where('user_roles.user_id', '=', userId)
    .where('roles.is_active', '=', true)
    .where('roles.is_admin', '=', true)
    .executeTakeFirst()
  return row !== undefined
}
