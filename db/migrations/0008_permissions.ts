import { type Kysely, sql } from 'kysely'
import { createResource } from '../resource.ts'

const actions = ['create', 'read', 'update', 'delete']
const codes = [
  ...matrix(actions, ['user'], ['me', 'all']),
  ...matrix(actions, ['role', 'permission'], ['all']),
  ...matrix(['create', 'read', 'delete'], ['user_role', 'role_permission'], ['all']),
  ...matrix(['read', 'delete'], ['session'], ['all']),
  'read:audit_event:all'
]

export async function up(db: Kysely<unknown>): Promise<void> {
  await createResource(db, 'permissions', (table) =>
    table
      .addColumn('code', 'text', (column) => column.notNull().unique())
      .addColumn('description', 'text')
      .addColumn('is_active', 'boolean', (column) => column.notNull().defaultTo(true))
  )
  await db.schema
    .createTable('role_permissions')
    .addColumn('role_id', 'bigint', (column) => column.notNull().references('roles.id').onDelete('cascade'))
    .addColumn('permission_id', 'bigint', (column) => column.notNull().references('permissions.id').onDelete('cascade'))
    .addColumn('created_at', 'timestamptz', (column) => column.notNull().defaultTo(sql`now()`))
    .addPrimaryKeyConstraint('role_permissions_pkey', ['role_id', 'permission_id'])
    .execute()
  await db.schema.createIndex('role_permissions_permission_id').on('role_permissions').column('permission_id').execute()
  for (const code of codes) await sql`insert into permissions (code) values (${code})`.execute(db)
  await sql`
    insert into role_permissions (role_id, permission_id)
    select roles.id, permissions.id from roles, permissions
    where roles.name = 'user' and permissions.code like '%:me'`.execute(db)
}

export async function down(db: Kysely<unknown>): Promise<void> {
  await db.schema.dropTable('role_permissions').execute()
  await db.schema.dropTable('permissions').execute()
}

function matrix(actions: string[], resources: string[], contexts: string[]): string[] {
  return resources.flatMap((resource) =>
    contexts.flatMap((context) => actions.map((action) => `${action}:${resource}:${context}`))
  )
}
