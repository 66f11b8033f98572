import { type Kysely, sql } from 'kysely'
import { getConstructionPlans } from 'pg-boss'

/** The PostgreSQL schema that holds the queues. */
export const JOBS_SCHEMA = 'pgboss'

/** The queues' own schema, made by its owner, so that the service's role needs no right to change tables. */
export async function up<DB>(db: Kysely<DB>): Promise<void> {
  const script = getConstructionPlans(JOBS_SCHEMA).replace(/^\s*BEGIN;\s*(SET LOCAL [^;]+;\s*)*/, '')
  const statements = script.replace(/COMMIT;\s*$/, '')
  // The extended protocol takes one statement at a time; EXECUTE takes them all, inside the migration's transaction.
  const block = `begin execute ${literal(statements)}; end`
  await sql.raw(`do ${literal(block)}`).execute(db)
}

export async function down<DB>(db: Kysely<DB>): Promise<void> {
  await sql`drop schema ${sql.id(JOBS_SCHEMA)} cascade`.execute(db)
}

/** Lets `role` enqueue and work jobs, not change the tables: to be run by the owner of the schema. */
export async function grant<DB>(db: Kysely<DB>, role: string): Promise<void> {
  const [schema, name] = [sql.id(JOBS_SCHEMA), sql.id(role)]
  await sql`grant usage on schema ${schema} to ${name}`.execute(db)
  await sql`grant select, insert, update, delete on all tables in schema ${schema} to ${name}`.execute(db)
  await sql`grant execute on all functions in schema ${schema} to ${name}`.execute(db)
}

const literal = (text: string) => `'${text.replaceAll("'", "''")}'`
