import { type Kysely, sql } from 'kysely'

/** The table `changes`; the application re-exports both from a migration of its own. */
export async function up<DB>(db: Kysely<DB>): Promise<void> {
  await sql`
    create table changes (
      id bigint generated always as identity primary key,
      kind text not null,
      key text not null,
      created_at timestamptz not null default clock_timestamp()
    )`.execute(db)
  await sql`create index changes_created_at on changes (created_at)`.execute(db)
}

export async function down<DB>(db: Kysely<DB>): Promise<void> {
  await sql`drop table changes`.execute(db)
}
