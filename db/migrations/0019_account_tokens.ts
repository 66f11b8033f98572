import { type Kysely, sql } from 'kysely'

export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table account_tokens (
      token_hash text primary key check (char_length(token_hash) = 43),
      user_id bigint not null references users (id) on delete cascade,
      purpose text not null check (purpose in ('verify_email', 'reset_password', 'change_email')),
      email text not null check (email = lower(email)),
      bound_to text not null,
      job_id uuid not null,
      created_at timestamptz not null default clock_timestamp(),
      expires_at timestamptz not null,
      used_at timestamptz
    )`.execute(db)
  await sql`create index account_tokens_user on account_tokens (user_id, purpose, created_at)`.execute(db)
  await sql`create index account_tokens_expires_at on account_tokens (expires_at)`.execute(db)
}

export async function down(db: Kysely<unknown>): Promise<void> {
  await sql`drop table account_tokens`.execute(db)
}
