import { type Kysely, sql } from 'kysely'

/** The table `idempotency_keys`; the application re-exports both from a migration of its own. */
export async function up<DB>(db: Kysely<DB>): Promise<void> {
  await sql`
    create table idempotency_keys (
      caller text not null,
      route text not null,
      key text not null check (char_length(key) between 1 and 255),
      fingerprint text not null,
      status smallint not null check (status between 200 and 299),
      body text not null,
      location text,
      created_at timestamptz not null default now(),
      primary key (caller, route, key)
    )`.execute(db)
  await sql`create index idempotency_keys_created_at on idempotency_keys (created_at)`.execute(db)
}

export async function down<DB>(db: Kysely<DB>): Promise<void> {
  await sql`drop table idempotency_keys`.execute(db)
}
