import { type Kysely, sql } from 'kysely'
import { addPermissions, createResource, removePermissions } from '../resource.ts'

const permissions = ['create:item:me', 'read:item:me', 'update:item:me', 'delete:item:me']

export async function up(db: Kysely<unknown>): Promise<void> {
  await createResource(db, 'items', (table) =>
    table
      .addColumn('owner_id', 'bigint', (column) => column.notNull().references('users.id').onDelete('cascade'))
      .addColumn('title', 'text', (column) => column.notNull())
      .addColumn('description', 'text')
      .addColumn('status', 'text', (column) =>
        column.notNull().defaultTo('draft').check(sql`status in ('draft', 'active', 'archived')`)
      )
  )
  // One for each order in which the public list is walked, and one for the owner's.
  await sql`create index items_status_created_at on items (status, created_at, id)`.execute(db)
  await sql`create index items_status_title on items (status, title, id)`.execute(db)
  await sql`create index items_owner on items (owner_id, id)`.execute(db)
  // A trusted extension: the owner of the database may create it. Without rights on `public`, an administrator does before.
  await sql`create extension if not exists pg_trgm`.execute(db)
  await sql`create index items_search on items using gin (title gin_trgm_ops, description gin_trgm_ops)`.execute(db)
  await addPermissions(db, permissions)
}

/** The extension stays: somebody else may use it. */
export async function down(db: Kysely<unknown>): Promise<void> {
  await removePermissions(db, permissions)
  await db.schema.dropTable('items').execute()
}
