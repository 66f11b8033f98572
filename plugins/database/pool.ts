import type { QueryResult } from 'kysely'
import type pg from 'pg'
import type { Echo } from './backend.ts'
import { acquireError, isConnectionLost, statementError } from './connection-errors.ts'
import { isStaleStatement } from './errors.ts'
import type { RunSingle } from './executor.ts'
import { type Statements, toMarkedQuery } from './statements.ts'

const WRITES = new Set(['INSERT', 'UPDATE', 'DELETE', 'MERGE'])

/** A statement's outcome as Kysely expects it. */
export function toResult({ command, rowCount, rows }: pg.QueryResult): QueryResult<unknown> {
  return WRITES.has(command) ? { numAffectedRows: BigInt(rowCount ?? 0), rows } : { rows }
}

/**
 * One statement on a free connection. Half of Kysely's own way is promises around promises; this is the short one.
 * A statement with a stale plan was not run: it runs again, under a new name.
 */
export function runSingleOn(pool: pg.Pool, statements: Statements, echo: Echo | undefined): RunSingle {
  const run: RunSingle = (query) =>
    new Promise((resolve, reject) => {
      pool.connect((connectError, client, release) => {
        if (client === undefined) return reject(acquireError(connectError ?? new Error('No connection')))
        const startedAt = performance.now()
        client.query(toMarkedQuery(statements, query), (error: Error | null, result) => {
          echo?.(query.sql, startedAt)
          if (error === null) {
            release(client.getTransactionStatus() !== 'I')
            return resolve(toResult(result))
          }
          const isStale = isStaleStatement(error)
          release(isStale || isConnectionLost(error))
          reject(isStale ? error : statementError(error))
        })
      })
    })
  return (query) => run(query).catch((error) => retryStale(error, statements, () => run(query)))
}

/** Several statements in one text, each with an outcome of its own. */
export function runScriptOn(pool: pg.Pool, echo: Echo | undefined): (sql: string) => Promise<unknown[]> {
  return async (sql) => {
    const client = await pool.connect().catch((error: Error) => Promise.reject(acquireError(error)))
    const startedAt = performance.now()
    try {
      // The types know one outcome only.
      const outcomes = [await client.query(sql)].flat() as pg.QueryResult[]
      return outcomes.flatMap(({ rows }) => rows)
    } catch (error) {
      throw statementError(error as Error) // node-postgres rejects with errors only
    } finally {
      echo?.(sql, startedAt)
      client.release(client.getTransactionStatus() !== 'I')
    }
  }
}

/** Runs a statement again whose plan was stale. */
export function retryStale<T>(error: unknown, statements: Statements, again: () => Promise<T>): Promise<T> {
  if (!isStaleStatement(error)) throw error
  statements.rename()
  return again()
}
