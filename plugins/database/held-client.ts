import type { CompiledQuery, PostgresPool, PostgresPoolClient } from 'kysely'
import type pg from 'pg'
import type { Echo } from './backend.ts'
import { CommittingQuery } from './committing-query.ts'
import { acquireError, isConnectionLost, statementError } from './connection-errors.ts'
import type { Deadline } from './deadline.ts'
import { isStaleStatement } from './errors.ts'
import type { Scope, Scopes } from './executor.ts'
import { ask } from './named-query.ts'
import type { Statements } from './statements.ts'

/** What the connections of a pool have in common. */
export interface PoolParts {
  scopes: Scopes
  statements: Statements
  echo: Echo | undefined
  /** For the answer to a statement. */
  inTime: Deadline
  /** For that to two of them, sent together. */
  bothInTime: Deadline
}

/** The pool as Kysely's PostgreSQL dialect wants it: for transactions and held connections. */
export function kyselyPool(pool: pg.Pool, parts: PoolParts): PostgresPool {
  const connect = async () => {
    const client = await pool.connect().catch((error: Error) => Promise.reject(acquireError(error)))
    return holdClient(client, parts.scopes.getStore(), parts)
  }
  return { connect, end: () => pool.end(), options: pool.options }
}

/** A connection while somebody holds it. Its COMMIT travels with the statement that waits for it (`beforeCommit`). */
function holdClient(client: pg.PoolClient, scope: Scope | undefined, parts: PoolParts): PostgresPoolClient {
  const { statements, echo, inTime, bothInTime } = parts
  let lost: Error | undefined
  let isStale = false

  async function query(sql: string, parameters: ReadonlyArray<unknown>): Promise<unknown> {
    // A ROLLBACK after a silent connection would wait for the client's deadline once more.
    if (lost !== undefined) throw lost
    const last = sql === 'commit' ? scope?.last : undefined
    const startedAt = performance.now()
    try {
      if (last !== undefined) return await commitWith(last)
      return await ask(client, statements.toQuery(sql, parameters), inTime)
    } catch (thrown) {
      // node-postgres rejects with errors only.
      const error = thrown as Error
      if (isConnectionLost(error)) lost = statementError(error)
      if (isStaleStatement(error)) {
        isStale = true
        statements.rename()
      }
      throw lost ?? error
    } finally {
      if (last !== undefined) echo?.(last.sql, startedAt)
      echo?.(sql, startedAt)
    }
  }

  function commitWith({ sql, parameters }: CompiledQuery): Promise<{ command: string; rows: [] }> {
    return new Promise((resolve, reject) => {
      const answer = bothInTime<void>((error) => {
        if (error === null) resolve({ command: query.tag, rows: [] })
        else reject(error)
      })
      const query = new CommittingQuery(statements.toQuery(sql, parameters), answer)
      client.query(query)
    })
  }

  function release(destroy = false): void {
    // Not idle: somebody sent a BEGIN of their own and never ended it.
    const isIdle = client.getTransactionStatus() === 'I'
    client.release(destroy || isStale || lost !== undefined || !isIdle)
  }

  // The other overload of `query` takes a cursor; the dialect gets none.
  return { query, release } as PostgresPoolClient
}
