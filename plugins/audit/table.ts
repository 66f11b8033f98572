import type { ColumnType, Generated, GeneratedAlways } from 'kysely'

/** One row per event; of failures, one per client, account and minute. Nothing is ever changed but that `count`. */
export interface AuditEventsTable {
  id: GeneratedAlways<number>
  public_id: GeneratedAlways<string>
  /** `<noun>.<past participle>`, e.g. `todo.created`. */
  action: string
  /** The account whose credentials were used. No foreign key: the trail outlives it. */
  actor_id: string | null
  target_type: string | null
  target_id: string | null
  ip: string | null
  user_agent: string | null
  request_id: string | null
  /** Written as JSON text. */
  details: ColumnType<Record<string, unknown> | null, string | null, never>
  count: Generated<number>
  created_at: GeneratedAlways<string>
}
