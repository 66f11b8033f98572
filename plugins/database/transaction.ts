import { type CompiledQuery, type Kysely, sql, type Transaction } from 'kysely'
import { InsideTransaction, isStaleStatement, sqlstateOf, TransactionOver, TransactionTimeout } from './errors.ts'
import { isInside, type Scope, type Scopes } from './executor.ts'
import type { OneStatement } from './one-statement.ts'
import type { DatabaseLogger, OpenDatabase, Tables } from './types.ts'

const MAX_RETRIES = 2
const SERIALIZATION_FAILURE = '40001'
const DEADLOCK_DETECTED = '40P01'

/** Of the statement of a write itself: around it the outer `db` is refused. */
const OUTSIDE: Scope = { state: 'released' }

type Callback = () => void | Promise<void>

export interface TransactionsOptions {
  db: Kysely<Tables>
  scopes: Scopes
  timeoutMs: number
  /** A statement that opens each transaction. */
  prelude?: string | undefined
  oneStatement: OneStatement
  logger?: DatabaseLogger | undefined
}

export type Transactions = Pick<OpenDatabase, 'transaction' | 'write' | 'beforeCommit' | 'afterCommit' | 'current'>

/** What waits for the end of a transaction. */
interface Ending {
  statements: CompiledQuery[]
  callbacks: Callback[]
}

export function createTransactions({
  db,
  scopes,
  timeoutMs,
  prelude,
  oneStatement,
  logger
}: TransactionsOptions): Transactions {
  // Keyed by the executor: `trx.withTables()` makes another Transaction, but keeps it.
  const endingOf = new WeakMap<object, Ending>()

  async function transaction<T>(fn: (trx: Transaction<Tables>) => Promise<T>): Promise<T> {
    const deadline = performance.now() + timeoutMs
    return withRetries(() => attempt(fn, deadline))
  }

  const write: OpenDatabase['write'] = async (change, { companions = [], trx } = {}) => {
    if (trx !== undefined) {
      return oneStatement((query) => trx.getExecutor().executeQuery(query), companions, change)
    }
    // The deadlines of the server hold inside a transaction only.
    if (prelude !== undefined) return transaction((trx) => write(change, { companions, trx }))
    if (isInside(scopes)) throw new InsideTransaction()
    const scope: Scope = { state: 'held' }
    const run = (query: CompiledQuery) => {
      if (scope.state !== 'held') return Promise.reject(new TransactionOver())
      return withRetries(() => scopes.run(OUTSIDE, () => db.getExecutor().executeQuery(query)))
    }
    try {
      return await scopes.run(scope, () => oneStatement(run, companions, change))
    } finally {
      scope.state = 'released'
    }
  }

  async function attempt<T>(fn: (trx: Transaction<Tables>) => Promise<T>, deadline: number): Promise<T> {
    const ending: Ending = { statements: [], callbacks: [] }
    const result = await db.transaction().execute(async (trx) => {
      const scope = scopes.getStore()
      if (scope === undefined) throw new Error('The database executor opens a scope around each connection')
      scope.trx = trx
      endingOf.set(trx.getExecutor(), ending)
      try {
        return await within(deadline - performance.now(), async () => {
          if (prelude !== undefined) await sql.raw(prelude).execute(trx)
          const result = await fn(trx)
          // From here on it is too late for more.
          endingOf.delete(trx.getExecutor())
          scope.last = ending.statements.pop()
          for (const statement of ending.statements) await trx.executeQuery(statement)
          return result
        })
      } finally {
        scope.state = 'over'
        endingOf.delete(trx.getExecutor())
      }
    })
    for (const callback of ending.callbacks) {
      try {
        await callback()
      } catch (error) {
        // The commit stands, whatever becomes of what follows it.
        logger?.error({ err: error }, 'A callback after a commit failed')
      }
    }
    return result
  }

  function endingIn(trx: Transaction<Tables>): Ending {
    const ending = endingOf.get(trx.getExecutor())
    if (ending === undefined) throw new TransactionOver()
    return ending
  }

  return {
    transaction,
    write,
    beforeCommit: (trx, statement) => void endingIn(trx).statements.push(statement),
    afterCommit: (trx, fn) => void endingIn(trx).callbacks.push(fn),
    current() {
      const scope = scopes.getStore()
      return scope?.state === 'held' ? scope.trx : undefined
    }
  }
}

async function withRetries<T>(attempt: () => Promise<T>): Promise<T> {
  for (let retries = 0; ; retries++) {
    try {
      return await attempt()
    } catch (error) {
      if (retries === MAX_RETRIES || !isRetryable(error)) throw error
    }
  }
}

function isRetryable(error: unknown): boolean {
  const sqlstate = sqlstateOf(error)
  return sqlstate === SERIALIZATION_FAILURE || sqlstate === DEADLOCK_DETECTED || isStaleStatement(error)
}

/** Rejects after `ms`, whatever `work` is waiting for; when it is too late already, `work` is not begun. */
async function within<T>(ms: number, work: () => Promise<T>): Promise<T> {
  if (ms <= 0) throw new TransactionTimeout()
  const { promise, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new TransactionTimeout()), ms)
  try {
    return await Promise.race([work(), promise])
  } finally {
    clearTimeout(timer)
  }
}
