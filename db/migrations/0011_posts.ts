import { type Kysely, sql } from 'kysely'
import { addPermissions, createResource, removePermissions } from '../resource.ts'

const permissions = ['create:post:me', 'update:post:me', 'delete:post:me', 'delete:post:all']

export async function up(db: Kysely<unknown>): Promise<void> {
  await createResource(db, 'posts', (table) =>
    table
      .addColumn('owner_id', 'bigint', (column) => column.notNull().references('users.id').onDelete('cascade'))
      .addColumn('title', 'text', (column) => column.notNull())
      .addColumn('text', 'text', (column) => column.notNull())
      .addColumn('media_url', 'text')
      .addColumn('deleted_at', 'timestamptz')
  )
  await sql`create index posts_owner on posts (owner_id, id desc) where deleted_at is null`.execute(db)
  await addPermissions(db, permissions)
}

export async function down(db: Kysely<unknown>): Promise<void> {
  await removePermissions(db, permissions)
  await db.schema.dropTable('posts').execute()
}
