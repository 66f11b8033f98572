import { type Kysely, sql, type Transaction } from 'kysely'
import type { Database } from './types.ts'

/** What the routes of users and roles take from the host. */
export interface DefaultRoleOptions {
  /** The role that new users get; as protected as those that are marked so. */
  defaultRole: string
}

export const roleColumns = [
  'roles.public_id as id',
  'roles.name',
  'roles.description',
  'roles.is_admin',
  'roles.is_protected',
  'roles.is_active',
  'roles.created_at',
  'roles.updated_at',
  'roles.row_version'
] as const

/** The codes that a role grants, or would grant if it and they were active. */
const permissionsOfRole = sql<string[]>`array(
  select permissions.code from role_permissions
  join permissions on permissions.id = role_permissions.permission_id
  where role_permissions.role_id = roles.id order by permissions.code)`

/**
 * The role with what it may do, read after the lock: what was granted while this waited is there. Until the transaction ends nobody else changes it or what it grants (`forShare`), does
 * anything of that sort (`forNoKeyUpdate`), or is given it (`forUpdate`).
 */
export async function lockRole(
  trx: Transaction<Database>,
  id: string,
  lock: 'forShare' | 'forNoKeyUpdate' | 'forUpdate'
) {
  await trx.selectFrom('roles').select('id').where('public_id', '=', id)[lock]().execute()
  return trx
    .selectFrom('roles')
    .select(['roles.id as role_id', ...roleColumns, permissionsOfRole.as('permissions')])
    .where('public_id', '=', id)
    .executeTakeFirst()
}

export function findRole(db: Kysely<Database>, id: string) {
  return db.selectFrom('roles').select(roleColumns).where('public_id', '=', id).executeTakeFirst()
}
