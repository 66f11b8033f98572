import { type Kysely, sql } from 'kysely'
import { addPermissions, createResource, removePermissions } from '../resource.ts'

const permissions = ['create:task:me', 'read:task:me', 'update:task:me', 'read:task:all', 'update:task:all']

export async function up(db: Kysely<unknown>): Promise<void> {
  await createResource(db, 'tasks', (table) =>
    table
      .addColumn('owner_id', 'bigint', (column) => column.notNull().references('users.id').onDelete('cascade'))
      .addColumn('message', 'text', (column) => column.notNull())
      .addColumn('state', 'text', (column) =>
        column
          .notNull()
          .defaultTo('queued')
          .check(sql`state in ('queued', 'running', 'completed', 'failed', 'cancelled')`)
      )
      .addColumn('attempts', 'integer', (column) => column.notNull().defaultTo(0))
      .addColumn('result', 'text')
      .addColumn('started_at', 'timestamptz')
      .addColumn('finished_at', 'timestamptz')
  )
  await sql`create index tasks_owner on tasks (owner_id, id desc)`.execute(db)
  await sql`create index tasks_state on tasks (state, id desc)`.execute(db)
  await addPermissions(db, permissions)
}

export async function down(db: Kysely<unknown>): Promise<void> {
  await removePermissions(db, permissions)
  await db.schema.dropTable('tasks').execute()
}
