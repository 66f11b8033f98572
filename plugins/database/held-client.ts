import type { PostgresPool, PostgresPoolClient } from 'kysely'
import type pg from 'pg'
import type { Echo } from './backend.ts'
import { acquireError, isConnectionLost, statementError } from './connection-errors.ts'
import { isStaleStatement } from './errors.ts'
import type { Scope, Scopes } from './executor.ts'
import { type Group, GroupedQuery } from './grouped-query.ts'
import type { Statements } from './statements.ts'

/** What the connections of a pool have in common. */
interface Parts {
  scopes: Scopes
  statements: Statements
  echo: Echo | undefined
}

/** The pool as Kysely's PostgreSQL dialect wants it: for transactions and held connections. */
export function kyselyPool(pool: pg.Pool, parts: Parts): PostgresPool {
  const connect = async () => {
    const client = await pool.connect().catch((error: Error) => Promise.reject(acquireError(error)))
    return holdClient(client, parts.scopes.getStore(), parts)
  }
  return { connect, end: () => pool.end(), options: pool.options }
}

/**
 * A connection while somebody holds it. Its BEGIN travels with the first statement, its COMMIT with the last one if that
 * waits for it (`beforeCommit`): a change of one row and its record take two round trips, not four.
 */
function holdClient(client: pg.PoolClient, scope: Scope | undefined, parts: Parts): PostgresPoolClient {
  const { statements, echo } = parts
  let isBeginDue = false
  /** Nothing more is sent: the connection is gone, or a BEGIN failed and what followed would not be in a transaction. */
  let unusable: Error | undefined
  let isStale = false

  async function query(sql: string, parameters: ReadonlyArray<unknown>): Promise<unknown> {
    if (unusable !== undefined) throw unusable
    if (sql === 'begin') {
      isBeginDue = true
      return done('BEGIN')
    }
    if (sql === 'commit' && scope?.last !== undefined) {
      await send(statements.toQuery(scope.last.sql, scope.last.parameters), true)
      return done('COMMIT')
    }
    if (isBeginDue && (sql === 'commit' || sql === 'rollback')) {
      isBeginDue = false
      return done(sql === 'commit' ? 'COMMIT' : 'ROLLBACK')
    }
    const config = statements.toQuery(sql, parameters)
    // Without values it may be several statements, and those fit into no group.
    if (isBeginDue && config.values === undefined) await begin()
    return send(config)
  }

  async function begin(): Promise<void> {
    isBeginDue = false
    await send({ text: 'begin' }).catch((error: Error) => {
      unusable = error
      throw error
    })
  }

  async function send(config: pg.QueryConfig, commit = false): Promise<pg.QueryResult> {
    const group = { begin: isBeginDue, commit }
    isBeginDue = false
    const startedAt = performance.now()
    try {
      return await (group.begin || commit ? sendGroup(config, group) : client.query(config))
    } catch (thrown) {
      // node-postgres rejects with errors only.
      const error = thrown as Error
      // A ROLLBACK after a silent connection would wait for the client's deadline once more.
      if (isConnectionLost(error)) unusable = statementError(error)
      if (isStaleStatement(error)) {
        isStale = true
        statements.rename()
      }
      throw unusable ?? error
    } finally {
      if (group.begin) echo?.('begin', startedAt)
      echo?.(config.text, startedAt)
      if (commit) echo?.('commit', startedAt)
    }
  }

  function sendGroup(config: pg.QueryConfig, group: Group): Promise<pg.QueryResult> {
    return new Promise((resolve, reject) => {
      const query = new GroupedQuery(config, group, (error, result) => {
        if (error === null) return resolve(result)
        if (!query.isBegun) unusable = error
        reject(error)
      })
      client.query(query)
    })
  }

  function release(destroy = false): void {
    // Not idle: somebody sent a BEGIN of their own and never ended it.
    const isIdle = client.getTransactionStatus() === 'I'
    client.release(destroy || isStale || unusable !== undefined || !isIdle)
  }

  // The other overload of `query` takes a cursor; the dialect gets none.
  return { query, release } as PostgresPoolClient
}

const done = (command: string) => ({ command, rows: [] })
