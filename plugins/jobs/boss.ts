import { CompiledQuery } from 'kysely'
import { type Db, PgBoss } from 'pg-boss'
import type { OpenDatabase } from '../database/index.ts'
import type { WorkerConnection } from './connection.ts'
import { JOBS_SCHEMA } from './migration.ts'

export interface BossOptions {
  database: OpenDatabase
  /** Fetches jobs, watches over them and keeps schedules; else it only takes jobs in. */
  isWorker: boolean
  connection: WorkerConnection | undefined
}

/** How soon a run whose worker died is noticed, at most, beyond its heartbeat. */
const SUPERVISE_SECONDS = 10

/** pg-boss as the plugin uses it; its tables come with the migration. */
export function createBoss({ database, isWorker, connection }: BossOptions): PgBoss {
  const own = isWorker && database.kind === 'postgres' ? connection : undefined
  return new PgBoss({
    schema: JOBS_SCHEMA,
    migrate: false,
    createSchema: false,
    supervise: isWorker,
    schedule: isWorker,
    superviseIntervalSeconds: SUPERVISE_SECONDS,
    monitorIntervalSeconds: SUPERVISE_SECONDS,
    backend: database.kind === 'embedded' ? 'pglite' : 'postgres',
    // Rebuilding indexes is the owner's right and business.
    reindex: false,
    ...(own === undefined
      ? { db: onDatabase(database) }
      : {
          connectionString: own.url,
          ssl: own.ssl,
          max: own.poolSize ?? 4,
          application_name: own.applicationName ?? 'jobs',
          // An index has the jobs in their order. Before the server's statistics know of a backlog, it would sort all of it for
          // each look. A proxy that cannot listen refuses such a setting, too.
          ...(own.listen !== false && { options: '-c enable_sort=off' })
        })
  })
}

/** The database plugin as pg-boss sees it: its statements join the transaction they are called in, if any. */
export function onDatabase(database: OpenDatabase): Db {
  return {
    async executeSql(text, values = []) {
      const trx = database.current()
      if (trx === undefined && values.length === 0) return { rows: await database.script(text) }
      const { rows } = await (trx ?? database.db).executeQuery(CompiledQuery.raw(text, values))
      return { rows: [...rows] }
    }
  }
}

/** How many jobs a command of pg-boss has changed; its types keep that to themselves. */
export async function affected(command: Promise<unknown>): Promise<number> {
  return ((await command) as { affected: number }).affected
}
