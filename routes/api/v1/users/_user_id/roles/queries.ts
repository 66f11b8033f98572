import type { Kysely, Transaction } from 'kysely'
import { pageList } from '../../../../../../db/page-list.ts'
import { roleColumns } from '../../../../../../db/roles.ts'
import type { Database } from '../../../../../../db/types.ts'

const assigned = (db: Kysely<Database>, { user_id }: { user_id: number }) =>
  db
    .selectFrom('user_roles')
    .innerJoin('roles', 'roles.id', 'user_roles.role_id')
    .select(roleColumns)
    .where('user_roles.user_id', '=', user_id)

export const listAssigned = pageList(assigned, [['roles.name', 'asc']])

export function findAssigned(db: Kysely<Database>, userId: number, roleId: string) {
  return assigned(db, { user_id: userId }).where('roles.public_id', '=', roleId).executeTakeFirst()
}

/** A second time is SQLSTATE 23505. */
export async function insertAssignment(trx: Transaction<Database>, userId: number, roleId: number): Promise<void> {
  await trx.insertInto('user_roles').values({ user_id: userId, role_id: roleId }).execute()
}

export async function deleteAssignment(trx: Transaction<Database>, userId: number, roleId: number): Promise<boolean> {
  const { numDeletedRows } = await trx
    .deleteFrom('user_roles')
    .where('user_id', '=', userId)
    .where('role_id', '=', roleId)
    .executeTakeFirst()
  return numDeletedRows === 1n
}
