import { parseArgs } from 'node:util'
import type { Kysely } from 'kysely'
import {
  createMigration,
  type MigrationStatus,
  migrateDown,
  migrateTo,
  migrateUp,
  migrationHistory,
  migrationStatus
} from '../../db/migrate.ts'
import type { Database } from '../../db/types.ts'
import { UsageError } from '../main.ts'

export const usage = `Usage: npm run migrate -- <command>
  up             apply everything that is pending
  down [n|all]   take back the last n migrations (default 1)
  to <name>      go up or down until this migration, or its number, is the last one applied
  status         every migration and when it was applied
  history        what was applied, in order
  create <name>  write an empty migration
With --json, status and history print a list of { name, applied_at }.`

const options = { json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } } as const

export type Print = (line: string) => void

/** Hands the database, and the role that the service connects as, to a command that needs it, and closes it afterwards. */
export type WithDatabase = (use: (db: Kysely<Database>, appRole?: string) => Promise<void>) => Promise<void>

/**
 * Runs one migration command.
 *
 * @throws UsageError before the database is opened
 */
export async function runMigrate(args: string[], withDatabase: WithDatabase, print: Print): Promise<void> {
  const { positionals, values } = parseArgs({ args, allowPositionals: true, options })
  if (values.help) return print(usage)
  const [name, argument, ...rest] = positionals
  if (rest.length > 0) throw new UsageError('Too many arguments')
  if (values.json && name !== 'status' && name !== 'history') throw new UsageError('--json is for status and history')
  const show = (rows: MigrationStatus[]) => print(values.json ? JSON.stringify(rows, null, 2) : table(rows))
  const onProgress = (migration: string, ms: number) => print(`✓ ${migration} (${Math.round(ms)} ms)`)

  if (name === 'create') return print(`${await createMigration(required(argument))} written`)
  if (name === 'down') {
    const count = readCount(argument)
    return withDatabase(async (db, appRole) => print(summary(await migrateDown(db, count, { onProgress, appRole }))))
  }
  if (name === 'to') {
    const target = required(argument)
    return withDatabase(async (db, appRole) => print(summary(await migrateTo(db, target, { onProgress, appRole }))))
  }
  if (argument !== undefined) throw new UsageError(`${name} takes no argument`)
  if (name === 'up')
    return withDatabase(async (db, appRole) => print(summary(await migrateUp(db, { onProgress, appRole }))))
  if (name === 'status') return withDatabase(async (db) => show(await migrationStatus(db)))
  if (name === 'history') return withDatabase(async (db) => show(await migrationHistory(db)))
  throw new UsageError(name === undefined ? 'A command is missing' : `Unknown command ${name}`)
}

function required(argument: string | undefined): string {
  if (argument === undefined) throw new UsageError('The name of the migration is missing')
  return argument
}

function readCount(argument = '1'): number {
  if (argument === 'all') return Number.POSITIVE_INFINITY
  if (!/^[1-9]\d*$/.test(argument)) throw new UsageError('down takes a whole number from 1, or all')
  return Number(argument)
}

function summary(names: string[]): string {
  return names.length === 0 ? 'Nothing to do' : `${names.length} migration(s) done`
}

function table(migrations: MigrationStatus[]): string {
  const width = Math.max(...migrations.map(({ name }) => name.length))
  const lines = migrations.map(({ name, applied_at }) => `${name.padEnd(width)}  ${applied_at ?? 'pending'}`)
  return lines.join('\n') || 'No migrations'
}
