import { join } from 'node:path'
import { migrateUp, migrationStatus } from '../db/migrate.ts'
import { type DatabaseLogger, type OpenDatabase, openDatabase } from '../plugins/database/index.ts'
import type { Config, Settings } from './config.ts'
import { StartFailure } from './start-failure.ts'

/** A transaction may take this long; the change feed looks back further than this. */
export const TRANSACTION_TIMEOUT_MS = 10_000

/** The service's database: PostgreSQL when the configuration names one, else the embedded one in `DATA_DIR`. */
export function openAppDatabase(config: Settings, logger?: DatabaseLogger): Promise<OpenDatabase> {
  return open(config, config.DATABASE_URL, logger)
}

/** The same database as the owner of its schema, with all the time that a migration takes. */
export function openMigrationDatabase(config: Settings, logger?: DatabaseLogger): Promise<OpenDatabase> {
  const url = config.MIGRATION_DATABASE_URL ?? config.DATABASE_URL
  return open({ ...config, DB_STATEMENT_TIMEOUT_MS: 0 }, url, logger)
}

/** The role of the service, where it is not the one that migrates and so has to be given its rights. */
export function appRole({ DATABASE_URL, MIGRATION_DATABASE_URL }: Settings): string | undefined {
  if (DATABASE_URL === undefined || MIGRATION_DATABASE_URL === undefined) return undefined
  return decodeURIComponent(new URL(DATABASE_URL).username) || undefined
}

/** TLS to the database as node-postgres wants it. */
export const databaseTls = (config: Settings) =>
  ({ disable: false, require: { rejectUnauthorized: false }, 'verify-full': true })[config.DB_SSL]

/** An empty embedded database that leaves nothing behind. */
export const openMemoryDatabase = () => openDatabase({ dataDir: null })

function open(config: Settings, url: string | undefined, logger?: DatabaseLogger): Promise<OpenDatabase> {
  const common = {
    echo: config.DB_ECHO,
    transactionTimeoutMs: TRANSACTION_TIMEOUT_MS,
    ...(logger && { logger })
  }
  if (url === undefined) return openDatabase({ ...common, dataDir: join(config.DATA_DIR, 'database') })
  return openDatabase({
    ...common,
    url,
    ssl: databaseTls(config),
    poolSize: config.DB_POOL_SIZE,
    maxOverflow: config.DB_MAX_OVERFLOW,
    acquireTimeoutMs: config.DB_POOL_TIMEOUT * 1000,
    recycleSeconds: config.DB_POOL_RECYCLE,
    statementTimeoutMs: config.DB_STATEMENT_TIMEOUT_MS,
    lockTimeoutMs: config.DB_LOCK_TIMEOUT_MS,
    idleInTransactionTimeoutMs: config.DB_IDLE_IN_TRANSACTION_TIMEOUT_MS,
    preparedStatements: config.DB_PREPARED_STATEMENTS,
    applicationName: config.APP_NAME
  })
}

/**
 * Brings the schema up to date where that is the start's business, and refuses to start on an old one elsewhere.
 *
 * @throws when migrations are pending on a PostgreSQL that is migrated as a step of its own
 */
export async function prepareSchema(database: OpenDatabase, config: Config): Promise<void> {
  if (database.kind === 'embedded') {
    await migrateUp(database.db)
  } else if (config.MIGRATE_ON_START) {
    const owner = await openMigrationDatabase(config)
    await migrateUp(owner.db, { appRole: appRole(config) }).finally(() => owner.close())
  } else {
    const pending = (await migrationStatus(database.db)).filter(({ applied_at }) => applied_at === null)
    if (pending.length > 0) {
      throw new StartFailure(`The database lacks ${pending.length} migration(s); run: npm run migrate -- up`)
    }
  }
}
