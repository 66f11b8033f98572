import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { Kysely, Transaction } from 'kysely'
import type {} from '../changes/index.ts'
import type { Tables } from '../database/index.ts'
import { RefreshTokenInvalid, RefreshTokenReused } from './errors.ts'
import {
  advanceSession,
  deleteDeadSessions,
  findSession,
  insertSession,
  listSessions,
  revokeSessions,
  type SessionClient
} from './queries.ts'
import { refreshTokens, type SessionKey } from './refresh-token.ts'
import type { SessionsTable, SessionsTables } from './table.ts'

export interface SessionsOptions {
  /** Keys that serve this purpose alone (derive them, HKDF). The first signs, all verify. */
  keys: SessionKey[]
  /** A session unused for this long is over. Default 30. */
  idleDays?: number
  /** A session this old is over, used or not. Default 90. */
  maxDays?: number
  /** How long the predecessor of the live token still yields that live token (lost answers, parallel tabs). Default 10. */
  graceSeconds?: number
}

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

export interface Sessions {
  create(trx: Transaction<Tables>, session: { user_id: number } & SessionClient): Promise<{ id: string } & IssuedToken>
  rotate(trx: Transaction<Tables>, refreshToken: string, client: SessionClient): Promise<Rotation>
  /** The session that a refresh token of ours names, live or not; `null` for a forged one. No I/O. */
  peek(refreshToken: string): string | null
  /** `false` when it was revoked before or is unknown. */
  revoke(trx: Transaction<Tables>, sessionId: string, reason: string): Promise<boolean>
  /** Returns how many were revoked. */
  revokeAll(trx: Transaction<Tables>, userId: number, reason: string, exceptSessionId?: string): Promise<number>
  /** Live sessions, the last used first, 100 at most. */
  list(db: Kysely<Tables>, userId: number): Promise<SessionSummary[]>
  /** Deletes at most `limit` (1000) dead sessions unused for `keepDays` (7); returns how many. For a clean-up job. */
  prune(db: Kysely<Tables>, options?: { keepDays?: number; limit?: number }): Promise<number>
}

declare module 'fastify' {
  interface FastifyInstance {
    sessions: Sessions
  }
}

async function sessions(app: FastifyInstance, options: SessionsOptions): Promise<void> {
  const { keys, idleDays = 30, maxDays = 90, graceSeconds = 10 } = options
  requireInteger('idleDays', idleDays, 1)
  requireInteger('maxDays', maxDays, 1)
  requireInteger('graceSeconds', graceSeconds, 0)
  const lifetimes = { idleDays, maxDays, graceSeconds }
  const tokens = refreshTokens(keys)

  async function rotate(trx: Transaction<Tables>, token: string, client: SessionClient): Promise<Rotation> {
    const content = tokens.read(token)
    if (content === null) return { outcome: 'invalid' }
    const { sessionId: id, counter } = content
    const successor = tokens.issue({ sessionId: id, counter: counter + 1 })
    const own = withSessions(trx)

    const { asked_at, user_id, ends_at } = await advanceSession(own, id, counter, client, lifetimes)
    if (user_id !== null && ends_at !== null) {
      return { outcome: 'rotated', session: { id, user_id }, refreshToken: successor, expiresAt: ends_at }
    }

    const row = await findSession(own, id, asked_at, lifetimes)
    if (row === undefined || !row.is_live || counter >= row.counter) return { outcome: 'invalid' }
    const session = { id, user_id: row.user_id }
    if (counter + 1 === row.counter && row.in_grace) {
      return { outcome: 'grace', session, refreshToken: successor, expiresAt: row.ends_at }
    }
    await revoke(trx, { id }, 'reuse')
    return { outcome: 'reused', session }
  }

  async function revoke(trx: Transaction<Tables>, which: Parameters<typeof revokeSessions>[1], reason: string) {
    const revoked = await revokeSessions(withSessions(trx), which, reason)
    for (const id of revoked) await app.changes.record(trx, 'session', id)
    return revoked.length
  }

  app.decorate('sessions', {
    async create(trx, { user_id, ...client }) {
      const { id, ends_at } = await insertSession(withSessions(trx), user_id, client, lifetimes)
      return { id, refreshToken: tokens.issue({ sessionId: id, counter: 0 }), expiresAt: ends_at }
    },
    rotate,
    peek: (refreshToken) => tokens.read(refreshToken)?.sessionId ?? null,
    revoke: async (trx, id, reason) => (await revoke(trx, { id }, reason)) > 0,
    revokeAll: (trx, userId, reason, except) => revoke(trx, { userId, except }, reason),
    list: (db, userId) => listSessions(withSessions(db), userId, idleDays, 100),
    prune: (db, { keepDays = 7, limit = 1000 } = {}) => deleteDeadSessions(withSessions(db), idleDays, keepDays, limit)
  })
}

/** The same handle, with this plugin's table among its types. */
function withSessions(db: Transaction<Tables>): Transaction<SessionsTables>
function withSessions(db: Kysely<Tables>): Kysely<SessionsTables>
function withSessions(db: Kysely<Tables>): Kysely<SessionsTables> {
  return db.withTables<SessionsTables>()
}

function requireInteger(name: string, value: number, min: number): void {
  if (!Number.isSafeInteger(value) || value < min) throw new Error(`sessions: ${name} must be an integer ≥ ${min}`)
}

export const sessionsPlugin = fp(sessions, { name: 'sessions', fastify: '5.x', dependencies: ['changes'] })
export default sessionsPlugin
export { sessionsMigration } from './migration.ts'
export type { SessionClient, SessionKey, SessionsTable }
export { RefreshTokenInvalid, RefreshTokenReused }
