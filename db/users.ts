import { type Kysely, sql, type Transaction } from 'kysely'
import { compiled } from './compiled.ts'
import { isAdminUser, permissionsOfUser } from './permissions.ts'
import { tierOfUser } from './tiers.ts'
import type { Database } from './types.ts'

/** What a person may see of their own account. */
export const userColumns = [
  'users.public_id as id',
  'users.username',
  'users.email',
  'users.name',
  'users.profile_image_url',
  tierOfUser.as('tier'),
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

/** The one spelling of an e-mail address or username as somebody typed it; '' when it can be neither. */
export const normalizeIdentifier = (text: string) =>
  text.includes('@') ? normalizeEmail(text) : (normalizeUsername(text) ?? '')

export interface NewUser {
  email: string
  username: string
  name?: string | null
  password_hash: string
  is_verified?: boolean
}

/**
 * Adds a user with one role and a tier, and returns its keys. A taken e-mail or username is SQLSTATE 23505.
 *
 * @throws when there is no such role or tier
 */
export async function insertUser(trx: Transaction<Database>, user: NewUser, role: string, tier: string) {
  const inserted = await trx
    .insertInto('users')
    .values({ ...user, tier_id: (eb) => eb.selectFrom('tiers').select('tiers.id').where('tiers.name', '=', tier) })
    .returning(['id as user_id', ...userColumns])
    .executeTakeFirstOrThrow()
  const { numInsertedOrUpdatedRows } = await trx
    .insertInto('user_roles')
    .columns(['user_id', 'role_id'])
    .expression((eb) =>
      eb
        .selectFrom('roles')
        .select((e) => [e.val(inserted.user_id).as('user_id'), 'roles.id'])
        .where('roles.name', '=', role)
    )
    .executeTakeFirst()
  if (numInsertedOrUpdatedRows !== 1n) throw new Error(`There is no role ${role} for a new user`)
  const rights = await trx
    .selectFrom('users')
    .select([rolesOfUser.as('roles'), permissionsOfUser.as('permissions')])
    .where('id', '=', inserted.user_id)
    .executeTakeFirstOrThrow()
  return { ...inserted, ...rights }
}

/** The live user behind an e-mail address or a username. */
export function findUserByIdentifier(db: Kysely<Database>, identifier: string) {
  const select = identifier.includes('@') ? selectByEmail : selectByUsername
  return select.executeTakeFirst(db, { name: normalizeIdentifier(identifier) })
}

const selectBy = (column: 'users.email' | 'users.username') =>
  compiled(
    (db: Kysely<Database>, { name }: { name: string }) =>
      db
        .selectFrom('users')
        .select(['users.id as user_id', 'users.password_hash', ...userColumns])
        .select([rolesOfUser.as('roles'), permissionsOfUser.as('permissions'), isAdminUser.as('is_admin')])
        .where(column, '=', name)
        .where('users.deleted_at', 'is', null),
    { shortRead: true }
  )
const selectByEmail = selectBy('users.email')
const selectByUsername = selectBy('users.username')

/** The names of a user's active roles. */
export const rolesOfUser = sql<string[]>`array(
  select roles.name from user_roles join roles on roles.id = user_roles.role_id
  where user_roles.user_id = users.id and roles.is_active order by roles.name)`

/**
 * Whether the user is live. Until the transaction ends nobody deactivates or deletes them: what is made for them
 * meanwhile would outlive that.
 */
export async function holdLiveUser(trx: Transaction<Database>, userId: number): Promise<boolean> {
  const row = await trx
    .selectFrom('users')
    .select('id')
    .where('id', '=', userId)
    .where('is_active', '=', true)
    .where('deleted_at', 'is', null)
    .forShare()
    .executeTakeFirst()
  return row !== undefined
}
