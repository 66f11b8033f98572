import type { Kysely } from 'kysely'
import { addPermissions, removePermissions } from '../resource.ts'

const permissions = ['delete:cache:all']

export async function up(db: Kysely<unknown>): Promise<void> {
  await addPermissions(db, permissions)
}

export async function down(db: Kysely<unknown>): Promise<void> {
  await removePermissions(db, permissions)
}
