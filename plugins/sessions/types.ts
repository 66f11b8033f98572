import type { Kysely, Transaction } from 'kysely'
import type { Tables } from '../database/index.ts'
import type { SessionClient } from './queries.ts'

/** The keys of a session's row. */
export interface SessionRef {
  id: string
  user_id: number
}

/** A refresh token and when it ends unless it is used before (ISO 8601 UTC). */
export interface IssuedToken {
  refreshToken: string
  expiresAt: string
}

/**
 * What became of a refresh token:
 * - `rotated`: it was the live one; here is its successor.
 * - `grace`: it was the live one a moment ago; here is the same successor again.
 * - `reused`: it is older, so two parties hold it. The session was revoked in `trx`: commit, then throw `RefreshTokenReused`.
 * - `invalid`: forged, or its session is unknown, revoked, idle or expired. Throw `RefreshTokenInvalid`.
 */
export type Rotation =
  | ({ outcome: 'rotated' | 'grace'; session: SessionRef } & IssuedToken)
  | { outcome: 'reused'; session: SessionRef }
  | { outcome: 'invalid' }

/** A live session as its owner may see it. Times in ISO 8601 UTC. */
export interface SessionSummary {
  id: string
  user_agent: string | null
  ip: string | null
  created_at: string
  last_used_at: string
  expires_at: string
}

/** A new session, and the ids of those that had to make room for it. */
export interface NewSession extends IssuedToken {
  id: string
  ended: string[]
}

export interface Sessions {
  /** Holds `maxPerUser` exactly if sign-ins of one user queue up, on a lock of the user's row for example. */
  create(trx: Transaction<Tables>, session: { user_id: number } & SessionClient): Promise<NewSession>
  rotate(trx: Transaction<Tables>, refreshToken: string, client: SessionClient): Promise<Rotation>
  /** The session that a refresh token of ours names, live or not; `null` for a forged one. No I/O. */
  peek(refreshToken: string): string | null
  /**
   * Whether it is a guess: neither empty nor ours. Not one that names a key which is not here: after an exchange of keys
   * honest clients still send what those made. No I/O.
   */
  isForged(refreshToken: string): boolean
  /** `false` when it was revoked before, is unknown or, with `userId`, somebody else's. */
  revoke(trx: Transaction<Tables>, sessionId: string, reason: string, userId?: number): Promise<boolean>
  /** Returns how many were revoked. */
  revokeAll(trx: Transaction<Tables>, userId: number, reason: string, exceptSessionId?: string): Promise<number>
  /** Live sessions, the last used first. */
  list(db: Kysely<Tables>, userId: number): Promise<SessionSummary[]>
  /** Deletes at most `limit` (1000) dead sessions unused for `keepDays` (7); returns how many. For a clean-up job. */
  prune(db: Kysely<Tables>, options?: { keepDays?: number; limit?: number }): Promise<number>
}
