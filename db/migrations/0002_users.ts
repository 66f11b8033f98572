import { type Kysely, sql } from 'kysely'
import { createResource } from '../resource.ts'

export async function up(db: Kysely<unknown>): Promise<void> {
  await createResource(db, 'users', (table) =>
    table
      .addColumn('email', 'text', (column) => column.notNull().check(sql`email = lower(email)`))
      .addColumn('username', 'text', (column) => column.notNull().check(sql`username = lower(username)`))
      .addColumn('name', 'text')
      .addColumn('profile_image_url', 'text')
      .addColumn('password_hash', 'text', (column) => column.notNull())
      .addColumn('is_active', 'boolean', (column) => column.notNull().defaultTo(true))
      .addColumn('is_verified', 'boolean', (column) => column.notNull().defaultTo(false))
      .addColumn('deleted_at', 'timestamptz')
  )
  // Partial: deleting a user frees both names.
  await sql`create unique index users_email_key on users (email) where deleted_at is null`.execute(db)
  await sql`create unique index users_username_key on users (username) where deleted_at is null`.execute(db)
}

export async function down(db: Kysely<unknown>): Promise<void> {
  await db.schema.dropTable('users').execute()
}
