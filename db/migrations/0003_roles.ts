import { type Kysely, sql } from 'kysely'
import { createResource } from '../resource.ts'

export async function up(db: Kysely<unknown>): Promise<void> {
  await createResource(db, 'roles', (table) =>
    table
      .addColumn('name', 'text', (column) => column.notNull().unique())
      .addColumn('description', 'text')
      .addColumn('is_admin', 'boolean', (column) => column.notNull().defaultTo(false))
      .addColumn('is_protected', 'boolean', (column) => column.notNull().defaultTo(false))
      .addColumn('is_active', 'boolean', (column) => column.notNull().defaultTo(true))
  )
  await db.schema
    .createTable('user_roles')
    .addColumn('user_id', 'bigint', (column) => column.notNull().references('users.id').onDelete('cascade'))
    .addColumn('role_id', 'bigint', (column) => column.notNull().references('roles.id').onDelete('cascade'))
    .addColumn('created_at', 'timestamptz', (column) => column.notNull().defaultTo(sql`now()`))
    .addPrimaryKeyConstraint('user_roles_pkey', ['user_id', 'role_id'])
    .execute()
  await db.schema.createIndex('user_roles_role_id').on('user_roles').column('role_id').execute()
  await sql`
    insert into roles (name, description, is_admin, is_protected) values
      ('admin', 'May do everything', true, true),
      ('user', 'Everybody who registers', false, true)`.execute(db)
}

export async function down(db: Kysely<unknown>): Promise<void> {
  await db.schema.dropTable('user_roles').execute()
  await db.schema.dropTable('roles').execute()
}
