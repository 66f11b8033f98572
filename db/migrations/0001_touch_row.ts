import { type Kysely, sql } from 'kysely'

/** The trigger of every resource: an update, by whomever, raises `row_version` and `updated_at`. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create function touch_row() returns trigger language plpgsql as $$
    begin
      new.row_version := old.row_version + 1;
      new.updated_at := now();
      return new;
    end $$`.execute(db)
}

export async function down(db: Kysely<unknown>): Promise<void> {
  await sql`drop function touch_row()`.execute(db)
}
