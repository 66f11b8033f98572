import type { ColumnType } from 'kysely'

/** The answer of one request, as long as its key is kept. */
export interface IdempotencyKeysTable {
  caller: string
  /** Method and URL of the route, as declared. */
  route: string
  key: string
  fingerprint: string
  status: number
  /** JSON. */
  body: string
  location: string | null
  created_at: ColumnType<string, string | undefined, string>
}

/** The tables of this plugin. */
export type IdempotencyTables = { idempotency_keys: IdempotencyKeysTable }
