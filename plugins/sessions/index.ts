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
  type SessionClient,
  type Which
} from './queries.ts'
import { refreshTokens, type SessionKey } from './refresh-token.ts'
import type { SessionsTable, SessionsTables } from './table.ts'
import type { Rotation, Sessions } from './types.ts'

export interface SessionsOptions {
  /** Keys that serve this purpose alone (derive them, HKDF). The first signs, all verify. */
  keys: SessionKey[]
  /** A session unused for this long is over. Default 30. */
  idleDays?: number
  /** A session this old is over, used or not. Default 90. */
  maxDays?: number
  /** Live sessions a user may have, 1 to 1000; a further sign-in ends the one unused for longest. Default 100. */
  maxPerUser?: number
  /** How long the predecessor of the live token still yields that live token (lost answers, parallel tabs). Default 10. */
  graceSeconds?: number
}

declare module 'fastify' {
  interface FastifyInstance {
    sessions: Sessions
  }
}

/** So many sessions a list can show. */
const MAX_PER_USER = 1000

async function sessions(app: FastifyInstance, options: SessionsOptions): Promise<void> {
  const { keys, idleDays = 30, maxDays = 90, maxPerUser = 100, graceSeconds = 10 } = options
  requireInteger('idleDays', idleDays, 1, 36_500)
  requireInteger('maxDays', maxDays, 1, 36_500)
  requireInteger('maxPerUser', maxPerUser, 1, MAX_PER_USER)
  requireInteger('graceSeconds', graceSeconds, 0, 3600)
  const lifetimes = { idleDays, maxDays, maxPerUser, graceSeconds }
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
    await revoke(trx, { id, userId: undefined }, 'reuse')
    return { outcome: 'reused', session }
  }

  async function revoke(trx: Transaction<Tables>, which: Which, reason: string) {
    const revoked = await revokeSessions(withSessions(trx), which, reason)
    await tell(trx, revoked)
    return revoked.length
  }

  async function tell(trx: Transaction<Tables>, revoked: string[]) {
    for (const id of revoked) await app.changes.record(trx, 'session', id)
  }

  app.decorate('sessions', {
    async create(trx, { user_id, ...client }) {
      const { id, ends_at, ended } = await insertSession(withSessions(trx), user_id, client, lifetimes)
      await tell(trx, ended)
      return { id, refreshToken: tokens.issue({ sessionId: id, counter: 0 }), expiresAt: ends_at, ended }
    },
    rotate,
    peek: (refreshToken) => tokens.read(refreshToken)?.sessionId ?? null,
    isForged: tokens.isForged,
    revoke: async (trx, id, reason, userId) => (await revoke(trx, { id, userId }, reason)) > 0,
    revokeAll: (trx, userId, reason, except) => revoke(trx, { userId, except }, reason),
    list: (db, userId) => listSessions(withSessions(db), userId, idleDays, MAX_PER_USER),
    prune: (db, { keepDays = 7, limit = 1000 } = {}) => deleteDeadSessions(withSessions(db), idleDays, keepDays, limit)
  })
}

/** The same handle, with this plugin's table among its types. */
function withSessions(db: Transaction<Tables>): Transaction<SessionsTables>
function withSessions(db: Kysely<Tables>): Kysely<SessionsTables>
function withSessions(db: Kysely<Tables>): Kysely<SessionsTables> {
  return db.withTables<SessionsTables>()
}

function requireInteger(name: string, value: number, min: number, max: number): void {
  if (Number.isInteger(value) && value >= min && value <= max) return
  throw new Error(`sessions: ${name} must be an integer from ${min} to ${max}`)
}

export const sessionsPlugin = fp(sessions, { name: 'sessions', fastify: '5.x', dependencies: ['changes'] })
export default sessionsPlugin
export { sessionsMigration } from './migration.ts'
export type * from './types.ts'
export type { SessionClient, SessionKey, SessionsTable }
export { RefreshTokenInvalid, RefreshTokenReused }
