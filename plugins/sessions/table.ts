import type { ColumnType, Generated } from 'kysely'

type Time = ColumnType<string, string | undefined, string>
type NullableTime = ColumnType<string | null, string | null | undefined, string | null>

/** One row per sign-in, as long as it lives and a while after. */
export interface SessionsTable {
  id: Generated<string>
  user_id: number
  /** How often the refresh token was rotated; the live token carries the same number. */
  counter: Generated<number>
  rotated_at: NullableTime
  created_at: Time
  last_used_at: Time
  /** Absolute end. The idle end follows from `last_used_at`. */
  expires_at: ColumnType<string, string, string>
  user_agent: string | null
  ip: string | null
  revoked_at: NullableTime
  revoked_reason: string | null
}

/** The tables of this plugin. */
export type SessionsTables = { sessions: SessionsTable }
