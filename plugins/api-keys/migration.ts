import { type Kysely, sql } from 'kysely'

export interface ApiKeysMigrationOptions {
  /** The column that `user_id` refers to, e.g. `users.id`; deleting that row deletes its keys. */
  userReferences?: string
}

/** The migration of the `api_keys` table. */
export function apiKeysMigration({ userReferences }: ApiKeysMigrationOptions = {}) {
  return {
    async up<DB>(db: Kysely<DB>): Promise<void> {
      await db.schema
        .createTable('api_keys')
        .addColumn('id', 'uuid', (column) => column.primaryKey())
        .addColumn('user_id', 'bigint', (column) => {
          const required = column.notNull()
          return userReferences === undefined ? required : required.references(userReferences).onDelete('cascade')
        })
        .addColumn('name', 'text', (column) => column.check(sql`char_length(name) <= 100`))
        .addColumn('scopes', sql`text[]`, (column) => column.notNull())
        .addColumn('is_active', 'boolean', (column) => column.notNull().defaultTo(true))
        .addColumn('secret_hash', 'text', (column) => column.notNull())
        .addColumn('previous_hash', 'text')
        .addColumn('previous_until', 'timestamptz')
        .addColumn('expires_at', 'timestamptz', (column) => column.notNull())
        .addColumn('last_used_at', 'timestamptz')
        .addColumn('revoked_at', 'timestamptz')
        .addColumn('created_at', 'timestamptz', (column) => column.notNull().defaultTo(sql`clock_timestamp()`))
        .execute()
      await db.schema.createIndex('api_keys_user_id_index').on('api_keys').column('user_id').execute()
    },

    async down<DB>(db: Kysely<DB>): Promise<void> {
      await db.schema.dropTable('api_keys').execute()
    }
  }
}
