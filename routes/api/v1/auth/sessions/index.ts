import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from '@sinclair/typebox'
import { NotFound } from '../../../../../plugins/envelope/errors.ts'
import { envelope, errors, success } from '../../../../../plugins/envelope/schema.ts'
import { Session, SessionParams } from './schema.ts'

const sessions: FastifyPluginAsyncTypebox = async (app) => {
  app.get(
    '',
    {
      config: { auth: 'required' },
      schema: {
        operationId: 'listSessions',
        tags: ['auth'],
        summary: 'List own sessions',
        description: 'Where the caller is signed in: all live sessions, the last used first.',
        response: { 200: envelope(Type.Array(Session, { maxItems: 1000 })) }
      }
    },
    async ({ caller }) => {
      const found = await app.sessions.list(app.db, caller.user_id)
      const marked = found.map((session) => ({ ...session, current: session.id === caller.session_id }))
      return success('Your sessions', marked)
    }
  )

  app.delete(
    '/:session_id',
    {
      config: { auth: 'required', audit: 'session.revoked' },
      schema: {
        operationId: 'revokeSession',
        tags: ['auth'],
        summary: 'End one of the own sessions',
        description: 'Its access and refresh tokens are dead at once. It may be the one of this request.',
        params: SessionParams,
        response: { 204: Type.Null({ description: 'The session has ended' }), ...errors(404) }
      }
    },
    async (request, reply) => {
      const { caller, params } = request
      await request.transaction(async (trx) => {
        const wasAlive = await app.sessions.revoke(trx, params.session_id, 'revoked', caller.user_id)
        if (!wasAlive) throw new NotFound('There is no such session')
        return { status: 204, body: null }
      })
      return reply.code(204).send(null)
    }
  )
}

export default sessions
