import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from '@sinclair/typebox'
import type { FastifyRequest } from 'fastify'
import { keepingAnAdmin, type SignInRules } from '../../../../../db/rights.ts'
import { NotFound } from '../../../../../plugins/envelope/errors.ts'
import { envelope, errors, success } from '../../../../../plugins/envelope/schema.ts'
import { changeAccount, closeAccount, lockSubordinate, normalizeNames } from '../account.ts'
import { findUser, showUser } from '../queries.ts'
import { AccountUpdate, PublicUser, Removal, User, UserParams } from '../schema.ts'

type FoundUser = NonNullable<Awaited<ReturnType<typeof findUser>>>

const seesAll = (request: FastifyRequest, user: FoundUser) =>
  request.can('read:user:all') || request.principal?.id === user.id

/** All of the user, or the public part. */
function answerOf(request: FastifyRequest, user: FoundUser) {
  if (seesAll(request, user)) return success('User', user)
  const { id, username, name, profile_image_url, created_at } = user
  return success('User', { id, username, name, profile_image_url, created_at })
}

const user: FastifyPluginAsyncTypebox<SignInRules> = async (app, rules) => {
  app.get(
    '',
    {
      config: { auth: 'optional', etag: 'body' },
      schema: {
        operationId: 'getUser',
        tags: ['users'],
        summary: 'Read a user',
        description:
          'Everybody sees the public part of active users; all of it is for themselves and for who has `read:user:all`.',
        params: UserParams,
        response: { 200: envelope(Type.Union([User, PublicUser])), ...errors(404) }
      }
    },
    async (request) => {
      const user = await findUser(app.db, request.params.user_id)
      if (user === undefined || !(user.is_active || seesAll(request, user))) throw new NotFound('User not found')
      return answerOf(request, user)
    }
  )

  app.patch(
    '',
    {
      config: { auth: { permission: 'update:user:all' }, ifMatch: 'optional' },
      schema: {
        operationId: 'updateUser',
        tags: ['users'],
        summary: 'Change a user',
        description:
          'Deactivating ends every session at once and refuses API keys for as long as it lasts. Nobody changes who has rights that they lack; the last administrator stays active.',
        params: UserParams,
        body: AccountUpdate,
        response: { 200: envelope(User), ...errors(404, 409) }
      }
    },
    async (request, reply) => {
      const changes = normalizeNames(request.body)
      const { body } = await request.transaction((trx) =>
        keepingAnAdmin(trx, rules, async () => {
          const before = await lockSubordinate(trx, request, request.params.user_id)
          await reply.requireState(() => answerOf(request, before))
          const user = await changeAccount(app, trx, request, before, changes)
          return { status: 200, body: success('User updated', user) }
        })
      )
      return body
    }
  )

  app.delete(
    '',
    {
      config: { auth: { permission: 'delete:user:all' }, ifMatch: 'optional' },
      schema: {
        operationId: 'deleteUser',
        tags: ['users'],
        summary: 'Delete a user',
        description:
          'Ends every session and API key; the e-mail address and the username are free again. `restore` undoes it, unless `hard` removed the row and all that belongs to it.',
        params: UserParams,
        querystring: Removal,
        response: { 204: Type.Null({ description: 'Deleted' }), ...errors(404, 409) }
      }
    },
    async (request, reply) => {
      const { hard } = request.query
      await request.transaction((trx) =>
        keepingAnAdmin(trx, rules, async () => {
          const user = await lockSubordinate(trx, request, request.params.user_id, hard ? 'any' : 'live')
          await reply.requireState(() => answerOf(request, user))
          await closeAccount(app, trx, request, user, { hard })
          return { status: 204, body: null }
        })
      )
      return reply.code(204).send(null)
    }
  )

  app.post(
    '/restore',
    {
      config: { auth: { permission: 'update:user:all' }, audit: 'user.restored' },
      schema: {
        operationId: 'restoreUser',
        tags: ['users'],
        summary: 'Restore a deleted user',
        description:
          'They sign in again as before; sessions and API keys from before stay dead. 409 when their e-mail address or username belongs to another by now.',
        params: UserParams,
        response: { 200: envelope(User), ...errors(404, 409) }
      }
    },
    async (request) => {
      const { body } = await request.transaction(async (trx) => {
        const { id, user_id } = await lockSubordinate(trx, request, request.params.user_id, 'deleted')
        await showUser(trx, user_id)
        await app.changes.record(trx, 'user', id)
        const user = await findUser(trx, id)
        if (user === undefined) throw new Error('A restored user is there')
        return { status: 200, body: success('User restored', user) }
      })
      return body
    }
  )
}

export default user
