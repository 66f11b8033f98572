import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { normalizeUsername } from '../../../../../db/users.ts'
import { invalid } from '../../../../../plugins/envelope/errors.ts'
import { envelope, errors, success } from '../../../../../plugins/envelope/schema.ts'
import { User, UserUpdate } from '../schema.ts'
import { findMe, updateMe } from './queries.ts'

const me: FastifyPluginAsyncTypebox = async (app) => {
  app.get(
    '',
    {
      config: { auth: { permission: 'read:user:me' } },
      schema: {
        operationId: 'getMe',
        tags: ['users'],
        summary: 'Read own account',
        description: 'The account of the caller.',
        response: { 200: envelope(User) }
      }
    },
    async (request) => success('Your account', await findMe(app.db, request.caller))
  )

  app.patch(
    '',
    {
      config: { auth: { permission: 'update:user:me' }, audit: 'user.updated' },
      schema: {
        operationId: 'updateMe',
        tags: ['users'],
        summary: 'Change own account',
        description: 'Only the sent fields change; `null` clears a field that may be empty.',
        body: UserUpdate,
        response: { 200: envelope(User), ...errors(409) }
      }
    },
    async (request) => {
      const { username: wanted, ...changes } = request.body
      const username = wanted === undefined ? undefined : normalizeUsername(wanted)
      if (username === null) throw invalid('username', 'must have 3 to 30 of a–z, 0–9, "_", "." and "-"')
      const { caller } = request
      const { body } = await request.transaction(async (trx) => {
        await updateMe(trx, caller, username === undefined ? changes : { ...changes, username })
        await app.changes.record(trx, 'user', caller.id)
        return { status: 200, body: success('Account updated', await findMe(trx, caller)) }
      })
      return body
    }
  )
}

export default me
