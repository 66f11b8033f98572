import type pg from 'pg'
import { type Backend, createEcho } from './backend.ts'
import { createDeadline } from './deadline.ts'
import type { Scopes } from './executor.ts'
import { PING, poolBackend, quietPool } from './pool.ts'
import { postgresTypes } from './postgres-types.ts'
import { openReaders } from './readers.ts'
import { namedStatements, unnamedStatements } from './statements.ts'
import type { PostgresOptions } from './types.ts'

/** What the client waits longer than the server, so that the server's own error comes first when it can. */
const CLIENT_MARGIN_MS = 1000
const OVERFLOW_IDLE_MS = 10_000
const IDLE_IN_TRANSACTION_MS = 10_000
const KEEP_ALIVE_DELAY_MS = 10_000
/** Short reads are short, or they fail: they share connections. */
const READER_STATEMENT_TIMEOUT_MS = 2000
const READER_LOCK_TIMEOUT_MS = 1000

/**
 * Marks a compiled query that may run on the shared readers. A registered symbol: whoever builds such queries need
 * not import this plugin.
 */
const SHORT_READ = Symbol.for('database.shortRead')

export async function openPostgres(options: PostgresOptions, scopes: Scopes): Promise<Backend> {
  const { url, statementTimeoutMs = 10_000, lockTimeoutMs = 3000, preparedStatements = true } = options
  const { readers: count = 2, recycleSeconds = 1800, logger } = options
  const echo = options.echo ? createEcho(logger) : undefined
  const statements = preparedStatements ? namedStatements() : unnamedStatements
  const pool = openPool(options, clientConfig(options, statementTimeoutMs, lockTimeoutMs))
  const readTimeoutMs = Math.min(statementTimeoutMs || READER_STATEMENT_TIMEOUT_MS, READER_STATEMENT_TIMEOUT_MS)
  const readers = openReaders({
    config: clientConfig(
      options,
      readTimeoutMs,
      Math.min(lockTimeoutMs || READER_LOCK_TIMEOUT_MS, READER_LOCK_TIMEOUT_MS)
    ),
    inTime: createDeadline(readTimeoutMs + CLIENT_MARGIN_MS),
    count: Math.max(1, count),
    recycleMs: recycleSeconds * 1000,
    statements,
    echo
  })
  const close = async () => {
    await Promise.all([pool.end(), readers.close()])
  }
  const ping = () => readers.run(PING)
  try {
    await ping()
  } catch (error) {
    await close()
    throw new Error(`The database at ${placeOf(url)} cannot be reached: ${reasonOf(error)}`, { cause: error })
  }
  const deadlineOf = (ms: number) => createDeadline(statementTimeoutMs > 0 ? ms + CLIENT_MARGIN_MS : 0)
  const backend = await poolBackend(pool, {
    ...{ scopes, statements, echo },
    inTime: deadlineOf(statementTimeoutMs),
    bothInTime: deadlineOf(2 * statementTimeoutMs)
  })
  return {
    kind: 'postgres',
    ...backend,
    runSingle: (query) => (SHORT_READ in query ? readers.run(query) : backend.runSingle(query)),
    prelude: preparedStatements ? undefined : localSettings(options, statementTimeoutMs, lockTimeoutMs),
    ping,
    close
  }
}

function openPool(options: PostgresOptions, config: pg.ClientConfig): pg.Pool {
  const { poolSize = 10, maxOverflow = 10, recycleSeconds = 1800, acquireTimeoutMs = 5000, logger } = options
  return quietPool(
    {
      min: poolSize,
      max: poolSize + maxOverflow,
      idleTimeoutMillis: OVERFLOW_IDLE_MS,
      maxLifetimeSeconds: recycleSeconds,
      connectionTimeoutMillis: acquireTimeoutMs
    },
    config,
    logger
  )
}

function clientConfig(options: PostgresOptions, statementTimeoutMs: number, lockTimeoutMs: number): pg.ClientConfig {
  const { url, ssl = false, applicationName = 'plinth', connectTimeoutMs = 3000 } = options
  const { idleInTransactionTimeoutMs = IDLE_IN_TRANSACTION_MS, preparedStatements = true } = options
  return {
    connectionString: url,
    ssl,
    application_name: applicationName,
    types: postgresTypes,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_DELAY_MS,
    connectionTimeoutMillis: connectTimeoutMs,
    // Sent when a session starts, which PgBouncer refuses.
    ...(preparedStatements && {
      options: '-c TimeZone=UTC -c DateStyle=ISO',
      statement_timeout: statementTimeoutMs,
      lock_timeout: lockTimeoutMs,
      idle_in_transaction_session_timeout: idleInTransactionTimeoutMs
    })
  }
}

/** The same for one transaction, where a session belongs to nobody. */
function localSettings(
  { idleInTransactionTimeoutMs = IDLE_IN_TRANSACTION_MS }: PostgresOptions,
  statementTimeoutMs: number,
  lockTimeoutMs: number
): string {
  return `select set_config('statement_timeout', '${statementTimeoutMs}', true),
    set_config('lock_timeout', '${lockTimeoutMs}', true),
    set_config('idle_in_transaction_session_timeout', '${idleInTransactionTimeoutMs}', true)`
}

function placeOf(url: string): string {
  const { host, pathname } = URL.parse(url) ?? { host: 'an unreadable url', pathname: '' }
  return `${host}${pathname}`
}

/** The driver's reason beneath our public error; a host with several addresses fails without a message of its own. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error.cause instanceof Error) return reasonOf(error.cause)
  return error.message || ('code' in error ? String(error.code) : error.name)
}
