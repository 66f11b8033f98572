import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from '@sinclair/typebox'
import { NotFound } from '../../../../../../plugins/envelope/errors.ts'
import { envelope, errors, success } from '../../../../../../plugins/envelope/schema.ts'
import { Session, SessionParams } from '../../../auth/sessions/schema.ts'
import { lockSubordinate } from '../../account.ts'
import { findUser } from '../../queries.ts'
import { UserParams } from '../../schema.ts'

const sessions: FastifyPluginAsyncTypebox = async (app) => {
  app.get(
    '',
    {
      config: { auth: { permission: 'read:session:all' } },
      schema: {
        operationId: 'listUserSessions',
        tags: ['users'],
        summary: 'List the sessions of a user',
        description: 'Where somebody is signed in: all live sessions, the last used first.',
        params: UserParams,
        response: { 200: envelope(Type.Array(Session, { maxItems: 1000 })), ...errors(404) }
      }
    },
    async ({ caller, params }) => {
      const user = await findUser(app.db, params.user_id)
      if (user === undefined) throw new NotFound('User not found')
      const found = await app.sessions.list(app.db, user.user_id)
      const marked = found.map((session) => ({ ...session, current: session.id === caller.session_id }))
      return success('Sessions of the user', marked)
    }
  )

  app.delete(
    '/:session_id',
    {
      config: { auth: { permission: 'delete:session:all' }, audit: 'session.revoked' },
      schema: {
        operationId: 'revokeUserSession',
        tags: ['users'],
        summary: 'End a session of a user',
        description: 'Its access and refresh tokens are dead at once. Not for who has rights that the caller lacks.',
        params: Type.Composite([UserParams, SessionParams]),
        response: { 204: Type.Null({ description: 'The session has ended' }), ...errors(404) }
      }
    },
    async (request, reply) => {
      const { user_id: id, session_id } = request.params
      await request.transaction(async (trx) => {
        const { user_id } = await lockSubordinate(trx, request, id)
        if (!(await app.sessions.revoke(trx, session_id, 'revoked', user_id)))
          throw new NotFound('There is no such session')
        return { status: 204, body: null }
      })
      return reply.code(204).send(null)
    }
  )
}

export default sessions
