import { Kysely } from 'kysely'
import type { Backend } from './backend.ts'
import { DatabaseUnavailable, InsideTransaction } from './errors.ts'
import { createScopes, DatabaseExecutor, isInside, type Scopes } from './executor.ts'
import { oneStatementOf } from './one-statement.ts'
import { createTransactions } from './transaction.ts'
import type { DatabaseOptions, OpenDatabase, Tables } from './types.ts'

const CHECK_TIMEOUT_MS = 2000

/**
 * Opens PostgreSQL by `url`, or the embedded database in `dataDir`. The drivers are loaded on demand.
 *
 * @throws when the server cannot be reached, or another process uses the folder; the message says which and why
 */
export async function openDatabase(options: DatabaseOptions): Promise<OpenDatabase> {
  const scopes = createScopes()
  const backend = await openBackend(options, scopes)
  const { kind, dialect, driver, provider, runSingle, prelude, script, ping, stats, close } = backend
  const executor = new DatabaseExecutor({ dialect, provider, scopes, runSingle })
  const db = new Kysely<Tables>({ config: { dialect }, dialect, driver, executor })
  const { transactionTimeoutMs: timeoutMs = 10_000, logger } = options
  const oneStatement = oneStatementOf(dialect, driver)
  const transactions = createTransactions({ db, scopes, timeoutMs, prelude, oneStatement, logger })
  let closing: Promise<void> | undefined
  return {
    kind,
    db,
    ...transactions,
    script: (sql) => (isInside(scopes) ? Promise.reject(new InsideTransaction()) : script(sql)),
    check: () => answersWithin(ping(), CHECK_TIMEOUT_MS),
    stats,
    close: () => (closing ??= close())
  }
}

async function openBackend(options: DatabaseOptions, scopes: Scopes): Promise<Backend> {
  if ('url' in options) {
    if (!/^postgres(ql)?:\/\//.test(options.url)) throw new TypeError('database: `url` must begin with postgres://')
    return (await import('./postgres.ts')).openPostgres(options, scopes)
  }
  if (!('dataDir' in options)) throw new TypeError('database: give `url`, or `dataDir` (a folder, or null for memory)')
  return (await import('./embedded.ts')).openEmbedded(options, scopes)
}

async function answersWithin(answer: Promise<unknown>, ms: number): Promise<void> {
  const { promise: deadline, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new DatabaseUnavailable()), ms)
  try {
    await Promise.race([answer, deadline])
  } finally {
    clearTimeout(timer)
  }
}
