import type { ConnectionOptions } from 'node:tls'
import type { FastifyRequest } from 'fastify'
import type { CompiledQuery, Kysely, Transaction } from 'kysely'

/**
 * The tables of the application. The host augments it once:
 * `declare module '../plugins/database/index.ts' { interface Tables extends AppDatabase {} }`.
 */
// biome-ignore lint/suspicious/noEmptyInterface: filled by declaration merging
export interface Tables {}

/** What a write answers. */
export interface Answer<Status extends number = number, Body = unknown> {
  status: Status
  body: Body
  location?: string
}

/** What the work of a transaction answers; participants may store or replay it. */
export interface TransactionResult extends Answer {}

/** An INSERT that goes in one statement with another one, which it may read as the table `written`. Its values: `$1`, `$2`, … */
export interface Companion {
  sql: string
  parameters: readonly unknown[]
}

/**
 * A plugin that takes part in each `request.transaction` and `request.write`, e.g. to record what was done in the same
 * transaction.
 */
export interface Participant {
  /** Runs first inside the transaction; a returned result is the answer, and neither the work nor any `commit` runs. */
  begin?(trx: Transaction<Tables>, request: FastifyRequest): Promise<TransactionResult | undefined>
  /** Runs last inside the transaction. */
  commit?(trx: Transaction<Tables>, request: FastifyRequest, result: TransactionResult): Promise<void>
  /**
   * Of `request.write`: what goes with its statement instead of `begin` and `commit`, `null` for nothing. With `undefined`,
   * and without this method, the statement runs in a transaction with both.
   */
  accompany?(request: FastifyRequest): Companion | null | undefined
}

export interface PoolStats {
  /** Open pool connections. */
  size: number
  /** Open pool connections nobody uses. */
  idle: number
  /** Callers that wait for a connection. */
  waiting: number
}

export interface OpenDatabase {
  readonly kind: 'postgres' | 'embedded'
  readonly db: Kysely<Tables>
  /**
   * Runs `fn` in one transaction. Serialization failures and deadlocks (40001, 40P01) run `fn` again, twice at most.
   * Inside, any use of the outer `db` and a nested `transaction` reject; past `transactionTimeoutMs` it is rolled back.
   */
  transaction<T>(fn: (trx: Transaction<Tables>) => Promise<T>): Promise<T>
  /**
   * Runs the one statement of `change` with its companions: a transaction in one round trip, inside `trx` if there is one. Its
   * deadlines are those of a statement. 40001 and 40P01 run the statement again, twice at most. With `preparedStatements: false`
   * it is a `transaction()`, as long and as often retried as one.
   *
   * @throws NotOneStatement for a second statement, none, or one that reads
   */
  write<T>(
    change: (trx: Transaction<Tables>) => Promise<T>,
    options?: { companions?: readonly Companion[]; trx?: Transaction<Tables> }
  ): Promise<T>
  /**
   * Runs one statement when the work of `trx` is done; what it returns is not looked at. The last one takes one round trip
   * with the COMMIT, and like that the time of `statementTimeoutMs`, not of `transactionTimeoutMs`. If it fails,
   * `transaction()` rejects and nothing was done.
   */
  beforeCommit(trx: Transaction<Tables>, statement: CompiledQuery): void
  /** Runs `fn` after the commit of `trx` and before `transaction()` resolves; never when it rolls back. */
  afterCommit(trx: Transaction<Tables>, fn: () => void | Promise<void>): void
  /** The transaction this code runs in, if any. For adapters that must join it; everything else passes `trx` on. */
  current(): Transaction<Tables> | undefined
  /**
   * Runs a text of several statements, which may begin and end a transaction of its own, and returns the rows of all.
   * For adapters of libraries that bring such texts; it takes no values, so nothing from outside may be in it.
   */
  script(sql: string): Promise<unknown[]>
  /** Resolves when the database answers; rejects with `DatabaseUnavailable` within 2 s. Needs no free pool connection. */
  check(): Promise<void>
  stats(): PoolStats
  close(): Promise<void>
}

/** Takes what the pool has to say outside any request; `fastify.log` fits. */
export interface DatabaseLogger {
  info(details: object, message: string): void
  error(details: object, message: string): void
}

interface CommonOptions {
  /** Wall time of one `transaction()`, retries included; past it the work is rolled back. Default 10 000 ms. */
  transactionTimeoutMs?: number
  /** Tell `logger` each statement's SQL and duration, without values. Default `false`. */
  echo?: boolean
  /** Default: nothing is logged. */
  logger?: DatabaseLogger
}

export interface PostgresOptions extends CommonOptions {
  /** `postgres://user:password@host:port/database`. What it states (e.g. `?sslmode=`) wins over the options. */
  url: string
  /** Connections that are kept. Default 10. */
  poolSize?: number
  /** Connections opened beyond `poolSize` under load and closed after 10 s of rest. Default 10. */
  maxOverflow?: number
  /** Pipelined connections beside the pool for short reads and health, so that they pass a busy pool. Default 2, at least 1. */
  readers?: number
  /** How long a caller waits for a connection before `DatabaseBusy`. Default 5000 ms. */
  acquireTimeoutMs?: number
  /** How long opening one connection may take before `DatabaseUnavailable`. Default 3000 ms. */
  connectTimeoutMs?: number
  /** Age at which a connection is replaced. Default 1800 s. */
  recycleSeconds?: number
  /** `statement_timeout` of the server; the client gives up 1 s later. 0: neither, for migrations. Default 10 000 ms. */
  statementTimeoutMs?: number
  /** `lock_timeout` of the server. Default 3000 ms. */
  lockTimeoutMs?: number
  /** `idle_in_transaction_session_timeout` of the server. Default 10 000 ms. */
  idleInTransactionTimeoutMs?: number
  /** TLS: `true` verifies the server's certificate. Default `false`. */
  ssl?: boolean | ConnectionOptions
  /** Shown in `pg_stat_activity`. Default `plinth`. */
  applicationName?: string
  /** `false` behind PgBouncer in transaction mode: no named statements, no startup parameters. Default `true`. */
  preparedStatements?: boolean
}

export interface EmbeddedOptions extends CommonOptions {
  /** Folder of the data, created for this user only; `null` keeps everything in memory. */
  dataDir: string | null
}

export type DatabaseOptions = PostgresOptions | EmbeddedOptions
