import type { ConnectionProvider, Dialect, Driver } from 'kysely'
import type { RunSingle } from './executor.ts'
import type { DatabaseLogger, OpenDatabase, PoolStats } from './types.ts'

/** What one kind of database has to offer; `openDatabase` makes the same `OpenDatabase` of either. */
export interface Backend {
  readonly kind: OpenDatabase['kind']
  readonly dialect: Dialect
  /** Initialised; begins and ends transactions. */
  readonly driver: Driver
  readonly provider: ConnectionProvider
  /** One statement outside transactions, by a shorter way than `provider`. */
  readonly runSingle: RunSingle
  /** A statement that opens each transaction. */
  readonly prelude?: string | undefined
  /** Several statements in one text, without values; the rows of all. */
  script(sql: string): Promise<unknown[]>
  ping(): Promise<unknown>
  stats(): PoolStats
  close(): Promise<void>
}

/** Reports a statement that ran, `startedAt` on `performance.now()`. */
export type Echo = (sql: string, startedAt: number) => void

/** Values never appear: they are personal data as often as not. */
export function createEcho(logger: DatabaseLogger | undefined): Echo {
  return (sql, startedAt) => logger?.info({ sql, ms: Math.round((performance.now() - startedAt) * 10) / 10 }, 'sql')
}
