import type { Kysely, Transaction } from 'kysely'
import { pageList } from '../../../../db/page-list.ts'
import { roleColumns } from '../../../../db/roles.ts'
import type { Database } from '../../../../db/types.ts'

interface RoleFields {
  name?: string
  description?: string | null
  is_admin?: boolean
  is_active?: boolean
}

export const listRoles = pageList(
  (db: Kysely<Database>) => db.selectFrom('roles').select(roleColumns),
  [['roles.name', 'asc']]
)

export function insertRole(trx: Transaction<Database>, role: RoleFields & { name: string }) {
  return trx.insertInto('roles').values(role).returning(roleColumns).executeTakeFirstOrThrow()
}

export function updateRole(trx: Transaction<Database>, id: string, changes: RoleFields) {
  return trx
    .updateTable('roles')
    .set(changes)
    .where('public_id', '=', id)
    .returning(roleColumns)
    .executeTakeFirstOrThrow()
}

/** Whether a user who is not deleted has the role. */
export async function isAssigned(trx: Transaction<Database>, roleId: number): Promise<boolean> {
  const row = await trx
    .selectFrom('user_roles')
    .innerJoin('users', 'users.id', 'user_roles.user_id')
    .select('users.id')
    .where('user_roles.role_id', '=', roleId)
    .where('users.deleted_at', 'is', null)
    .limit(1)
    .executeTakeFirst()
  return row !== undefined
}

/** What deleted users had of it goes with it. */
export async function deleteRole(trx: Transaction<Database>, roleId: number): Promise<void> {
  await trx.deleteFrom('roles').where('id', '=', roleId).execute()
}
