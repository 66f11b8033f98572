import type { FastifyInstance, FastifyRequest } from 'fastify'
import { findUserOfSession } from './queries.ts'

/**
 * Ends the sessions that the request proves to hold: by its access token, even an expired one, and by its refresh token.
 * What proves nothing is ignored, as in RFC 7009 §2.2.
 */
export async function endSession(app: FastifyInstance, request: FastifyRequest, refreshToken: string | undefined) {
  const held = [sessionOfBearer(app, request), refreshToken === undefined ? null : app.sessions.peek(refreshToken)]
  const ids = new Set(held.filter((id) => id !== null))
  if (ids.size === 0) return
  await app.database.transaction(async (trx) => {
    for (const id of ids) {
      if (!(await app.sessions.revoke(trx, id, 'logout'))) continue
      const actor_id = await findUserOfSession(trx, id)
      await app.audit.record(trx, { action: 'sign_out', actor_id, target_type: 'session', target_id: id, request })
    }
  })
}

function sessionOfBearer(app: FastifyInstance, request: FastifyRequest): string | null {
  const token = /^bearer (\S+)$/i.exec(request.headers.authorization ?? '')?.[1]
  if (token === undefined) return null
  try {
    return app.accessTokens.verifyIgnoringExpiry(token).sid
  } catch {
    return null
  }
}
