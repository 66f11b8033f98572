import type { Kysely, Transaction } from 'kysely'
import { pageList } from '../../../../db/page-list.ts'
import { permissionCodes, permissionColumns } from '../../../../db/permissions.ts'
import type { Database } from '../../../../db/types.ts'

export const listPermissions = pageList(
  (db: Kysely<Database>) => db.selectFrom('permissions').select(permissionColumns),
  [['permissions.code', 'asc']]
)

export function findPermission(db: Kysely<Database>, id: string) {
  return db.selectFrom('permissions').select(permissionColumns).where('public_id', '=', id).executeTakeFirst()
}

export function insertPermission(
  trx: Transaction<Database>,
  permission: { code: string; description?: string | null }
) {
  return trx.insertInto('permissions').values(permission).returning(permissionColumns).executeTakeFirstOrThrow()
}

export function updatePermission(
  trx: Transaction<Database>,
  id: string,
  changes: { description?: string | null; is_active?: boolean }
) {
  return trx
    .updateTable('permissions')
    .set(changes)
    .where('public_id', '=', id)
    .returning(permissionColumns)
    .executeTakeFirstOrThrow()
}

/** Public ids of the roles whose holders have the permission: those it is granted to, and the administrators'. */
export async function rolesWith(db: Kysely<Database>, id: string): Promise<string[]> {
  const rows = await db
    .selectFrom('roles')
    .select('roles.public_id')
    .where((eb) =>
      eb.or([
        eb('roles.is_admin', '=', true),
        eb.exists(
          eb
            .selectFrom('role_permissions')
            .innerJoin('permissions', 'permissions.id', 'role_permissions.permission_id')
            .whereRef('role_permissions.role_id', '=', 'roles.id')
            .where('permissions.public_id', '=', id)
            .select('role_permissions.role_id')
        )
      ])
    )
    .execute()
  return rows.map(({ public_id }) => public_id)
}

/** Locks the permission, so that nobody grants it meanwhile, and tells who needs it and what changing it asks for. */
export async function lockPermission(trx: Transaction<Database>, id: string) {
  const permission = await trx
    .selectFrom('permissions')
    .select(['id', 'code', 'description', 'is_active', 'row_version'])
    .where('public_id', '=', id)
    .forUpdate()
    .executeTakeFirst()
  if (permission === undefined) return undefined
  const grant = await trx
    .selectFrom('role_permissions')
    .select('role_id')
    .where('permission_id', '=', permission.id)
    .limit(1)
    .executeTakeFirst()
  return {
    ...permission,
    permissions: [permission.code],
    is_admin: false,
    isGranted: grant !== undefined,
    isBuiltIn: permissionCodes.some((code) => code === permission.code)
  }
}

export async function deletePermission(trx: Transaction<Database>, id: string): Promise<void> {
  await trx.deleteFrom('permissions').where('public_id', '=', id).execute()
}
