import type { ColumnType, Generated } from 'kysely'

type NullableTime = ColumnType<string | null, string | null | undefined, string | null>

/** One row per key; its secret is nowhere. */
export interface ApiKeysTable {
  id: string
  user_id: number
  name: string | null
  /** Codes of the permissions that the key may use, of those that its owner holds at that time. */
  scopes: string[]
  is_active: Generated<boolean>
  secret_hash: string
  /** The key before the last rotation, as long as it is still good. */
  previous_hash: string | null
  previous_until: NullableTime
  expires_at: ColumnType<string, string, string>
  last_used_at: NullableTime
  revoked_at: NullableTime
  created_at: ColumnType<string, never, never>
}

/** The tables of this plugin. */
export type ApiKeysTables = { api_keys: ApiKeysTable }
