import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from '@sinclair/typebox'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { envelope, errors, success } from '../../../../plugins/envelope/schema.ts'
import type { RefreshCookie } from './cookie.ts'
import { findUserOfSession } from './queries.ts'
import { RefreshToken, SessionsRevoked } from './schema.ts'

/** `POST /auth/logout` and `POST /auth/logout-all`. */
const logout: FastifyPluginAsyncTypebox<{ cookie: RefreshCookie }> = async (app, { cookie }) => {
  app.post(
    '/logout',
    {
      config: { auth: 'public' },
      bodyLimit: 16_384,
      schema: {
        operationId: 'logout',
        tags: ['auth'],
        summary: 'Sign out',
        description:
          'Ends the session named by the access token (an expired one too), the cookie or the body. Without any of them, or with an unknown one, there is nothing to end and the answer is the same.',
        body: RefreshToken,
        response: { 204: Type.Null({ description: 'Signed out' }), ...errors(400, 403) }
      }
    },
    async (request, reply) => {
      await endSessions(app, request, cookie.read(request, request.body?.refresh_token))
      cookie.clear(reply)
      return reply.code(204).send(null)
    }
  )

  app.post(
    '/logout-all',
    {
      config: { auth: 'required' },
      bodyLimit: 16_384,
      schema: {
        operationId: 'logoutEverywhere',
        tags: ['auth'],
        summary: 'Sign out everywhere',
        description:
          'Ends every session of the caller, this one too; their access and refresh tokens are dead at once.',
        response: { 200: envelope(SessionsRevoked) }
      }
    },
    async (request, reply) => {
      const { body } = await request.transaction(async (trx) => {
        const { id, user_id } = request.caller
        const sessions_revoked = await app.sessions.revokeAll(trx, user_id, 'logout_all')
        const target = { target_type: 'user', target_id: id }
        await app.audit.record(trx, { action: 'session.revoked', ...target, details: { sessions_revoked }, request })
        return { status: 200, body: success('Signed out everywhere', { sessions_revoked }) }
      })
      cookie.clear(reply)
      return body
    }
  )
}

/**
 * Ends the sessions that the request proves to hold: by its access token, even an expired one, and by its refresh token.
 * What proves nothing is ignored, as in RFC 7009 §2.2.
 */
async function endSessions(app: FastifyInstance, request: FastifyRequest, refreshToken: string | undefined) {
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

export default logout
