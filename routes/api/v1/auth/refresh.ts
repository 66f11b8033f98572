import type { FastifyInstance, FastifyRequest } from 'fastify'
import { RefreshTokenInvalid, RefreshTokenReused } from '../../../../plugins/sessions/errors.ts'
import { findActiveUser, findUserOfSession } from './queries.ts'
import { bearer, client } from './sign-in.ts'

/**
 * Exchanges a refresh token for its successor and a new access token.
 *
 * @throws RefreshTokenInvalid | RefreshTokenReused | LockedOut
 */
export async function refresh(app: FastifyInstance, request: FastifyRequest, token: string) {
  if (app.sessions.isForged(token)) {
    await app.lockout.fail(request)
    throw new RefreshTokenInvalid()
  }
  const rotation = await app.database.transaction(async (trx) => {
    const rotated = await app.sessions.rotate(trx, token, client(request))
    if (rotated.outcome === 'invalid') return rotated
    if (rotated.outcome === 'reused') {
      const actor_id = await findUserOfSession(trx, rotated.session.id)
      const target = { target_type: 'session', target_id: rotated.session.id }
      await app.audit.record(trx, { action: 'session.reused', actor_id, ...target, request })
      return rotated
    }
    const userId = await findActiveUser(trx, rotated.session.user_id)
    if (userId === undefined) throw new RefreshTokenInvalid()
    return { ...rotated, userId }
  })
  // Thrown after the commit: the reused session has to stay revoked although the request is refused.
  if (rotation.outcome === 'reused') throw new RefreshTokenReused()
  if (rotation.outcome === 'invalid') throw new RefreshTokenInvalid()

  const access = app.accessTokens.sign({ sub: rotation.userId, sid: rotation.session.id })
  return { refreshToken: rotation.refreshToken, tokens: bearer(access.token, access.expiresIn) }
}
