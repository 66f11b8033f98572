import type { Kysely, Transaction } from 'kysely'
import { pageList } from '../../../../../../db/page-list.ts'
import { permissionColumns } from '../../../../../../db/permissions.ts'
import type { Database } from '../../../../../../db/types.ts'

const granted = (db: Kysely<Database>, { role_id }: { role_id: string }) =>
  db
    .selectFrom('role_permissions')
    .innerJoin('roles', 'roles.id', 'role_permissions.role_id')
    .innerJoin('permissions', 'permissions.id', 'role_permissions.permission_id')
    .select(permissionColumns)
    .where('roles.public_id', '=', role_id)

export const listGranted = pageList(granted, [['permissions.code', 'asc']])

export function findGranted(db: Kysely<Database>, roleId: string, permissionId: string) {
  return granted(db, { role_id: roleId }).where('permissions.public_id', '=', permissionId).executeTakeFirst()
}

export function findPermission(db: Kysely<Database>, id: string) {
  return db
    .selectFrom('permissions')
    .select(['permissions.id as key', ...permissionColumns])
    .where('public_id', '=', id)
    .executeTakeFirst()
}

/** A second grant is SQLSTATE 23505. */
export async function insertGrant(trx: Transaction<Database>, roleId: number, permissionId: number): Promise<void> {
  await trx.insertInto('role_permissions').values({ role_id: roleId, permission_id: permissionId }).execute()
}

export async function deleteGrant(trx: Transaction<Database>, roleId: number, permissionId: number): Promise<boolean> {
  const { numDeletedRows } = await trx
    .deleteFrom('role_permissions')
    .where('role_id', '=', roleId)
    .where('permission_id', '=', permissionId)
    .executeTakeFirst()
  return numDeletedRows === 1n
}
