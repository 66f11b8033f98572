import type { Kysely, Transaction } from 'kysely'
import type { Tables } from '../database/index.ts'
import type { KeyProof } from './key-text.ts'
import type { KeyChanges, NewKey } from './queries.ts'

/** A key as its owner may see it. Times in ISO 8601 UTC. */
export interface ApiKeySummary {
  id: string
  name: string | null
  scopes: string[]
  is_active: boolean
  expires_at: string
  last_used_at: string | null
  created_at: string
}

/** A key and its text, which is shown this once and stored nowhere. */
export type IssuedKey = ApiKeySummary & { text: string }

/** What a good key stands for. */
export interface FoundKey {
  id: string
  user_id: number
  scopes: string[]
  /** ISO 8601 UTC. */
  valid_until: string
}

export interface ApiKeys {
  /** The id and hash of a well-formed key, else `null`. No I/O. */
  read(text: string): KeyProof | null
  /** The live key behind a proof: one query. `null`: unknown, expired, inactive or revoked. Whether its owner is still there is for the host to ask. */
  find(proof: KeyProof): Promise<FoundKey | null>
  /** Whether `find` met no such key lately: that is guessing, and an expired key is not. No I/O. */
  isUnknown(proof: KeyProof): boolean
  /** Notes a use of the key; `last_used_at` follows within seconds, once a minute at most. No I/O. */
  noteUse(id: string): void
  /** @throws TooManyApiKeys | RangeError beyond `maxDays` */
  create(trx: Transaction<Tables>, key: NewKey & { days?: number }): Promise<IssuedKey>
  /** The newest first. */
  list(db: Kysely<Tables>, userId: number): Promise<ApiKeySummary[]>
  get(db: Kysely<Tables>, userId: number, id: string): Promise<ApiKeySummary | undefined>
  /** The same, and nobody else changes it until the transaction ends. */
  lock(trx: Transaction<Tables>, userId: number, id: string): Promise<ApiKeySummary | undefined>
  /** @throws ScopesNotNarrower */
  update(trx: Transaction<Tables>, userId: number, id: string, changes: KeyChanges): Promise<ApiKeySummary | undefined>
  /** A new text for the same key; the one before is good for `overlapSeconds` more. @throws RangeError beyond `maxDays` */
  rotate(
    trx: Transaction<Tables>,
    userId: number,
    id: string,
    options: { days?: number; overlapSeconds: number }
  ): Promise<IssuedKey | undefined>
  /** `false` when it was revoked before or is not theirs. */
  revoke(trx: Transaction<Tables>, userId: number, id: string): Promise<boolean>
  /** Returns how many there were. */
  revokeAll(trx: Transaction<Tables>, userId: number): Promise<number>
  /** Deletes at most `limit` (1000) keys that are dead for `keepDays` (30); returns how many. For a clean-up job. */
  prune(db: Kysely<Tables>, options?: { keepDays?: number; limit?: number }): Promise<number>
}
