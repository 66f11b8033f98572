import { CompiledQuery, PostgresDialect, type QueryResult } from 'kysely'
import pg from 'pg'
import type { Backend } from './backend.ts'
import { acquireError, isConnectionLost, statementError } from './connection-errors.ts'
import { isStaleStatement } from './errors.ts'
import type { RunSingle } from './executor.ts'
import { kyselyPool, type PoolParts } from './held-client.ts'
import { ask, runQuery } from './named-query.ts'
import { type Statements, toMarkedQuery } from './statements.ts'
import type { DatabaseLogger } from './types.ts'

const WRITES = new Set(['INSERT', 'UPDATE', 'DELETE', 'MERGE'])

export const PING = CompiledQuery.raw('select 1')

/** A pool of clients with one configuration, which outlives the loss of any of them. */
export function quietPool(
  options: pg.PoolConfig,
  config: pg.ClientConfig,
  logger: DatabaseLogger | undefined
): pg.Pool {
  const pool = new pg.Pool({
    ...options,
    // The pool's only timeout is for waiting and connecting together; connecting gets its own.
    Client: class extends pg.Client {
      constructor() {
        super(config)
      }
    }
  })
  // Without listeners a restart of the server would end this process; what was running fails by itself.
  pool.on('connect', (client) => client.on('error', () => {}))
  // Not the error itself: the pool hangs the whole client on it.
  pool.on('error', ({ message }) => logger?.error({ reason: message }, 'An idle database connection was lost'))
  return pool
}

/** What the two kinds of databases have in common. */
export async function poolBackend(pool: pg.Pool, parts: PoolParts): Promise<Omit<Backend, 'kind' | 'ping' | 'close'>> {
  const dialect = new PostgresDialect({ pool: kyselyPool(pool, parts) })
  const driver = dialect.createDriver()
  await driver.init()
  return {
    dialect,
    driver,
    provider: {
      async provideConnection(consumer) {
        const connection = await driver.acquireConnection()
        try {
          return await consumer(connection)
        } finally {
          await driver.releaseConnection(connection)
        }
      }
    },
    runSingle: runSingleOn(pool, parts),
    script: runScriptOn(pool, parts),
    stats: () => ({ size: pool.totalCount, idle: pool.idleCount, waiting: pool.waitingCount })
  }
}

/** A statement's outcome as Kysely expects it. */
export function toResult({ command, rowCount, rows }: pg.QueryResult): QueryResult<unknown> {
  return WRITES.has(command) ? { numAffectedRows: BigInt(rowCount ?? 0), rows } : { rows }
}

/**
 * One statement on a free connection. Half of Kysely's own way is promises around promises; this is the short one.
 * A statement with a stale plan was not run: it runs again, under a new name.
 */
function runSingleOn(pool: pg.Pool, { statements, echo, inTime }: PoolParts): RunSingle {
  const run: RunSingle = (query) =>
    new Promise((resolve, reject) => {
      pool.connect((connectError, client, release) => {
        if (client === undefined) return reject(acquireError(connectError ?? new Error('No connection')))
        const startedAt = performance.now()
        const answer = inTime<pg.QueryResult>((error, result) => {
          echo?.(query.sql, startedAt)
          if (error === null) {
            release(client.getTransactionStatus() !== 'I')
            return resolve(toResult(result))
          }
          const isStale = isStaleStatement(error)
          release(isStale || isConnectionLost(error))
          reject(isStale ? error : statementError(error))
        })
        runQuery(client, toMarkedQuery(statements, query), answer)
      })
    })
  return (query) => run(query).catch((error) => retryStale(error, statements, () => run(query)))
}

/** Several statements in one text, each with an outcome of its own. */
function runScriptOn(pool: pg.Pool, { echo, inTime }: PoolParts): (sql: string) => Promise<unknown[]> {
  return async (sql) => {
    const client = await pool.connect().catch((error: Error) => Promise.reject(acquireError(error)))
    const startedAt = performance.now()
    let isLost = false
    try {
      // The types know one outcome only.
      const outcomes = [await ask(client, { text: sql }, inTime)].flat() as pg.QueryResult[]
      return outcomes.flatMap(({ rows }) => rows)
    } catch (thrown) {
      const error = thrown as Error // node-postgres rejects with errors only
      isLost = isConnectionLost(error)
      throw statementError(error)
    } finally {
      echo?.(sql, startedAt)
      client.release(isLost || client.getTransactionStatus() !== 'I')
    }
  }
}

/** Runs a statement again whose plan was stale. */
export function retryStale<T>(error: unknown, statements: Statements, again: () => Promise<T>): Promise<T> {
  if (!isStaleStatement(error)) throw error
  statements.rename()
  return again()
}
