import { type Kysely, sql } from 'kysely'
import { grant as grantAudit } from '../plugins/audit/migration.ts'
import { grant as grantJobs, JOBS_SCHEMA } from '../plugins/jobs/migration.ts'

/**
 * Gives the service's own role what it needs in the current schema and no more: rows of every table, of the audit log only
 * reading and adding, of the migrations only reading, and the queues. Run by the owner after migrating; nothing to do when
 * both are one.
 */
export async function grantAccess<DB>(db: Kysely<DB>, role: string): Promise<void> {
  const { rows } = await sql<{ schema: string; tables: string[]; is_owner: boolean; has_jobs: boolean }>`
    select current_schema() as schema, current_user = ${role} as is_owner,
      to_regnamespace(${JOBS_SCHEMA}) is not null as has_jobs,
      array(select tablename::text from pg_tables where schemaname = current_schema()) as tables`.execute(db)
  const [found] = rows
  if (found === undefined || found.is_owner) return
  const name = sql.id(role)
  await sql`grant usage on schema ${sql.id(found.schema)} to ${name}`.execute(db)

  for (const table of found.tables) {
    if (table === 'audit_events') await grantAudit(db, role)
    else if (table === 'schema_migrations') await sql`grant select on schema_migrations to ${name}`.execute(db)
    else await sql`grant select, insert, update, delete on ${sql.id(table)} to ${name}`.execute(db)
  }
  if (found.has_jobs) await grantJobs(db, role)
}
