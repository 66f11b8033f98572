import type { CompiledQuery, PostgresPool, PostgresPoolClient } from 'kysely'
import type pg from 'pg'
import type { Echo } from './backend.ts'
import { acquireError, isConnectionLost, statementError } from './connection-errors.ts'
import { isStaleStatement } from './errors.ts'
import type { Scope, Scopes } from './executor.ts'
import { type Group, GroupedQuery } from './grouped-query.ts'
import type { Statements } from './statements.ts'

/** What the client waits longer than the server, so that the server's own error comes first when it can. */
export const CLIENT_MARGIN_MS = 1000

/** What the connections of a pool have in common. */
interface Parts {
  scopes: Scopes
  statements: Statements
  echo: Echo | undefined
  /** 0: none. */
  statementTimeoutMs: number
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
 * waits for it (`beforeCommit`): a change of one row and its record take two round trips, not four. Everything is handed
 * to the driver as it comes, for a ROLLBACK may follow at any time.
 */
function holdClient(client: pg.PoolClient, scope: Scope | undefined, parts: Parts): PostgresPoolClient {
  const { statements, echo, statementTimeoutMs } = parts
  const commitTimeoutMs = statementTimeoutMs > 0 ? 2 * statementTimeoutMs + CLIENT_MARGIN_MS : undefined
  let isBeginDue = false
  /** Why the BEGIN did not take effect: what follows would not be in a transaction. */
  let notBegun: Error | undefined
  let lost: Error | undefined
  let isStale = false

  async function query(sql: string, parameters: ReadonlyArray<unknown>): Promise<unknown> {
    // A ROLLBACK after a silent connection would wait for the client's deadline once more.
    if (lost !== undefined) throw lost
    if (sql === 'begin') {
      isBeginDue = true
      return done('BEGIN')
    }
    if (sql === 'commit' || sql === 'rollback') {
      if (notBegun !== undefined) {
        notBegun = undefined
        return done('ROLLBACK')
      }
      if (sql === 'commit' && scope?.last !== undefined) return commitWith(scope.last)
      if (isBeginDue) {
        isBeginDue = false
        return done(sql === 'commit' ? 'COMMIT' : 'ROLLBACK')
      }
    }
    if (notBegun !== undefined) throw aborted(notBegun)
    return send(statements.toQuery(sql, parameters))
  }

  async function commitWith({ sql, parameters }: CompiledQuery): Promise<{ command: string }> {
    const { command } = await send(statements.toQuery(sql, parameters), true)
    return done(command)
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
      if (isConnectionLost(error)) lost = statementError(error)
      if (isStaleStatement(error)) {
        isStale = true
        statements.rename()
      }
      throw lost ?? error
    } finally {
      if (group.begin) echo?.('begin', startedAt)
      echo?.(config.text, startedAt)
      if (commit) echo?.('commit', startedAt)
    }
  }

  function sendGroup(config: pg.QueryConfig, group: Group): Promise<pg.QueryResult> {
    return new Promise((resolve, reject) => {
      const timeoutMs = group.commit ? commitTimeoutMs : undefined
      const query = new GroupedQuery(config, group, timeoutMs, (error, result) => {
        if (error !== null) {
          if (!query.isBegun) notBegun = error
          return reject(error)
        }
        // Several statements have several results, as without a group.
        const outcome = result as pg.QueryResult
        resolve(query.commitTag === undefined ? outcome : { ...outcome, command: query.commitTag })
      })
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

const done = (command: string) => ({ command, rows: [] })

/** What the server says of every statement in a transaction that has failed. */
const aborted = (cause: Error) =>
  Object.assign(
    new Error('current transaction is aborted, commands ignored until end of transaction block', { cause }),
    {
      code: '25P02'
    }
  )
