import type { Kysely } from 'kysely'
import { addPermissions, removePermissions } from '../resource.ts'

const permissions = ['create:todo:me', 'read:todo:me', 'update:todo:me', 'delete:todo:me']

export async function up(db: Kysely<unknown>): Promise<void> {
  await addPermissions(db, permissions)
}

export async function down(db: Kysely<unknown>): Promise<void> {
  await removePermissions(db, permissions)
}
