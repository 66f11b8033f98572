import { type CreateTableBuilder, type Kysely, sql } from 'kysely'

/** Starts the table of a resource with its keys, times and version, and the trigger that keeps the latter two true. */
export async function createResource(
  db: Kysely<unknown>,
  table: string,
  // The builder collects column names in its second type argument; a migration does not need them.
  columns: (builder: CreateTableBuilder<string, string>) => CreateTableBuilder<string, string>
): Promise<void> {
  const start = db.schema
    .createTable(table)
    .addColumn('id', 'bigint', (column) => column.primaryKey().generatedAlwaysAsIdentity())
    .addColumn('public_id', 'uuid', (column) => column.notNull().unique().defaultTo(sql`gen_random_uuid()`))
  await columns(start as CreateTableBuilder<string, string>)
    .addColumn('created_at', 'timestamptz', (column) => column.notNull().defaultTo(sql`now()`))
    .addColumn('updated_at', 'timestamptz', (column) => column.notNull().defaultTo(sql`now()`))
    .addColumn('row_version', 'integer', (column) => column.notNull().defaultTo(1))
    .execute()
  await sql`
    create trigger ${sql.id(`${table}_touch`)} before update on ${sql.table(table)}
    for each row execute function touch_row()`.execute(db)
}

/**
 * Adds permissions, `<what>:<resource>:<whose>`; somebody may have made one of that code by the API. Everybody with the role
 * `user` gets those of their own things (`me`).
 */
export async function addPermissions(db: Kysely<unknown>, codes: string[]): Promise<void> {
  await sql`insert into permissions (code) select unnest(${codes}::text[]) on conflict (code) do nothing`.execute(db)
  await sql`
    insert into role_permissions (role_id, permission_id)
    select roles.id, permissions.id from roles, permissions
    where roles.name = 'user' and permissions.code = any(${codes}::text[]) and permissions.code like '%:me'
    on conflict do nothing`.execute(db)
}

export async function removePermissions(db: Kysely<unknown>, codes: string[]): Promise<void> {
  await sql`delete from permissions where code = any(${codes}::text[])`.execute(db)
}
