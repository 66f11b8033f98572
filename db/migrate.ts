import { type Kysely, sql, type Transaction } from 'kysely'
import { grantAccess } from './grants.ts'
import { listMigrations, loadMigration, type MigrationFile } from './migration-files.ts'

export { createMigration } from './migration-files.ts'

export interface MigrateOptions {
  /** Folder of the migrations, `NNNN_name.ts` (or `.js` once built). Default: `migrations` beside this file. */
  folder?: string
  /** Called after each migration. */
  onProgress?: (name: string, ms: number) => void
  /** The role that the service connects as, where it is not the one that migrates: it is given its rights. */
  appRole?: string | undefined
}

export interface MigrationStatus {
  name: string
  /** ISO 8601 UTC; `null` while it is pending. */
  applied_at: string | null
}

/** One per database and application; any constant would do. */
const ADVISORY_LOCK = 7_526_411_380_021
/** Waiting longer for a table would hold up everybody who waits behind the migration. */
const TABLE_LOCK_TIMEOUT = '10s'

/** Applies what is pending, in order. Returns the names. */
export function migrateUp<DB>(db: Kysely<DB>, options: MigrateOptions = {}): Promise<string[]> {
  return migrate(db, options, ({ pending }) => goUp(pending))
}

/** Rolls back the last `count` migrations; `Infinity` for all. Returns the names. */
export function migrateDown<DB>(db: Kysely<DB>, count = 1, options: MigrateOptions = {}): Promise<string[]> {
  return migrate(db, options, ({ applied }, done) => (done < count ? goDown(applied) : undefined))
}

/**
 * Goes up or down until `target`, a name or its number, is the last one applied. Returns the names.
 *
 * @throws when there is no such migration
 */
export async function migrateTo<DB>(db: Kysely<DB>, target: string, options: MigrateOptions = {}): Promise<string[]> {
  const names = (await listMigrations(options.folder)).map(({ name }) => name)
  const goal = names.find((name) => name === target || name.startsWith(`${target.padStart(4, '0')}_`))
  if (goal === undefined) throw new Error(`There is no migration ${target}`)
  return migrate(db, options, ({ applied, pending }) => {
    if (applied.at(-1)?.name === goal) return undefined
    return pending.some(({ name }) => name === goal) ? goUp(pending) : goDown(applied)
  })
}

/** Every migration of the folder and every applied one, in order. Changes nothing, not even on an empty database. */
export async function migrationStatus<DB>(db: Kysely<DB>, options: MigrateOptions = {}): Promise<MigrationStatus[]> {
  const applied = await migrationHistory(db)
  const isApplied = new Set(applied.map(({ name }) => name))
  const pending = (await listMigrations(options.folder)).filter(({ name }) => !isApplied.has(name))
  return [...applied, ...pending.map(({ name }) => ({ name, applied_at: null }))].sort(byName)
}

/** The applied migrations, the latest last. */
export async function migrationHistory<DB>(db: Kysely<DB>): Promise<MigrationStatus[]> {
  const table = sql<{ exists: boolean }>`select to_regclass('schema_migrations') is not null as exists`
  if ((await table.execute(db)).rows[0]?.exists !== true) return []
  return (await sql<MigrationStatus>`select name, applied_at from schema_migrations order by name`.execute(db)).rows
}

const byName = (a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : 1)

interface State {
  applied: MigrationFile[]
  pending: MigrationFile[]
}

interface Step {
  file: MigrationFile
  direction: 'up' | 'down'
}

const goUp = ([file]: MigrationFile[]): Step | undefined => file && { file, direction: 'up' }

function goDown(applied: MigrationFile[]): Step | undefined {
  const file = applied.at(-1)
  return file && { file, direction: 'down' }
}

/**
 * Takes steps until `next` knows none. Each is one transaction that takes the lock, looks again what is applied,
 * migrates and records it: a second starter waits and then finds the work done, and one that dies leaves nothing
 * half-applied. The lock belongs to the transaction, because PgBouncer knows no sessions.
 */
async function migrate<DB>(
  db: Kysely<DB>,
  { folder, onProgress, appRole }: MigrateOptions,
  next: (state: State, done: number) => Step | undefined
): Promise<string[]> {
  const files = await listMigrations(folder)
  const done: string[] = []
  for (;;) {
    const startedAt = performance.now()
    const name = await db.transaction().execute(async (trx) => {
      await lockMigrations(trx)
      const step = next(await readState(trx, files), done.length)
      if (step !== undefined) await take(trx, step)
      if (appRole !== undefined) await grantAccess(trx, appRole)
      return step?.file.name
    })
    if (name === undefined) return done
    done.push(name)
    onProgress?.(name, performance.now() - startedAt)
  }
}

async function lockMigrations<DB>(trx: Transaction<DB>): Promise<void> {
  await sql`set local statement_timeout = 0`.execute(trx)
  await sql`set local lock_timeout = 0`.execute(trx)
  await sql`select pg_advisory_xact_lock(${sql.lit(ADVISORY_LOCK)})`.execute(trx)
  await sql`set local lock_timeout = ${sql.lit(TABLE_LOCK_TIMEOUT)}`.execute(trx)
}

async function readState<DB>(trx: Transaction<DB>, files: MigrationFile[]): Promise<State> {
  // Under the lock: of two at once, both would find the name free and one would fail.
  await sql`
    create table if not exists schema_migrations (
      name text primary key,
      applied_at timestamptz not null default clock_timestamp()
    )`.execute(trx)
  const names = (await migrationHistory(trx)).map(({ name }) => name)
  const unknown = names.find((name) => !files.some((file) => file.name === name))
  if (unknown !== undefined) {
    throw new Error(`The database has migration ${unknown}, whose file is missing: is this an older version?`)
  }
  const applied = files.filter(({ name }) => names.includes(name))
  const pending = files.filter(({ name }) => !names.includes(name))
  const [first] = pending
  const last = applied.at(-1)
  if (first !== undefined && last !== undefined && first.name < last.name) {
    throw new Error(`Migration ${first.name} comes before ${last.name}, which is applied already: renumber it`)
  }
  return { applied, pending }
}

async function take<DB>(trx: Transaction<DB>, { file, direction }: Step): Promise<void> {
  const migration = await loadMigration(file)
  try {
    await migration[direction](trx)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new Error(`Migration ${file.name} (${direction}) failed: ${reason}`, { cause: error })
  }
  if (direction === 'up') await sql`insert into schema_migrations (name) values (${file.name})`.execute(trx)
  else await sql`delete from schema_migrations where name = ${file.name}`.execute(trx)
}
