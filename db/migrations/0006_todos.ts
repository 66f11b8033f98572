import { type Kysely, sql } from 'kysely'
import { createResource } from '../resource.ts'

export async function up(db: Kysely<unknown>): Promise<void> {
  await createResource(db, 'todos', (table) =>
    table
      .addColumn('owner_id', 'bigint', (column) => column.notNull().references('users.id').onDelete('cascade'))
      .addColumn('title', 'text', (column) => column.notNull())
      .addColumn('description', 'text')
      .addColumn('completed', 'boolean', (column) => column.notNull().defaultTo(false))
      .addColumn('deleted_at', 'timestamptz')
  )
  await sql`create index todos_owner on todos (owner_id, id desc) where deleted_at is null`.execute(db)
}

export async function down(db: Kysely<unknown>): Promise<void> {
  await db.schema.dropTable('todos').execute()
}
