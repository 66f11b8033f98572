import { type Kysely, sql } from 'kysely'

export interface SessionsMigrationOptions {
  /** The column that `user_id` refers to, e.g. `users.id`; deleting that row deletes its sessions. */
  userReferences?: string
}

/** The migration of the `sessions` table. */
export function sessionsMigration({ userReferences }: SessionsMigrationOptions = {}) {
  return {
    async up<DB>(db: Kysely<DB>): Promise<void> {
      await db.schema
        .createTable('sessions')
        .addColumn('id', 'uuid', (column) => column.primaryKey().defaultTo(sql`gen_random_uuid()`))
        .addColumn('user_id', 'bigint', (column) => {
          const required = column.notNull()
          return userReferences === undefined ? required : required.references(userReferences).onDelete('cascade')
        })
        .addColumn('counter', 'integer', (column) => column.notNull().defaultTo(0))
        .addColumn('rotated_at', 'timestamptz')
        .addColumn('created_at', 'timestamptz', (column) => column.notNull().defaultTo(sql`clock_timestamp()`))
        .addColumn('last_used_at', 'timestamptz', (column) => column.notNull().defaultTo(sql`clock_timestamp()`))
        .addColumn('expires_at', 'timestamptz', (column) => column.notNull())
        .addColumn('user_agent', 'text', (column) => column.check(sql`char_length(user_agent) <= 512`))
        .addColumn('ip', 'text', (column) => column.check(sql`char_length(ip) <= 64`))
        .addColumn('revoked_at', 'timestamptz')
        .addColumn('revoked_reason', 'text')
        .execute()
      await db.schema.createIndex('sessions_user_id_index').on('sessions').column('user_id').execute()
      await db.schema.createIndex('sessions_last_used_at_index').on('sessions').column('last_used_at').execute()
    },

    async down<DB>(db: Kysely<DB>): Promise<void> {
      await db.schema.dropTable('sessions').execute()
    }
  }
}
