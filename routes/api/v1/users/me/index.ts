import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from '@sinclair/typebox'
import type { FastifyRequest } from 'fastify'
import type { Kysely } from 'kysely'
import { keepingAnAdmin, type SignInRules } from '../../../../../db/rights.ts'
import type { Database } from '../../../../../db/types.ts'
import { envelope, errors, success } from '../../../../../plugins/envelope/schema.ts'
import { closeAccount, dropPosts, normalizeNames } from '../account.ts'
import { lockUser } from '../queries.ts'
import { User, UserUpdate } from '../schema.ts'
import { findMe, updateMe } from './queries.ts'

const readMe = async (db: Kysely<Database>, { caller }: FastifyRequest) =>
  success('Your account', await findMe(db, caller))

const me: FastifyPluginAsyncTypebox<SignInRules> = async (app, rules) => {
  app.get(
    '',
    {
      config: { auth: { permission: 'read:user:me', apiKey: true }, etag: 'body' },
      schema: {
        operationId: 'getMe',
        tags: ['users'],
        summary: 'Read own account',
        description: 'The account of the caller.',
        response: { 200: envelope(User) }
      }
    },
    async (request) => readMe(app.db, request)
  )

  app.patch(
    '',
    {
      config: { auth: { permission: 'update:user:me' }, audit: 'user.updated', ifMatch: 'optional' },
      schema: {
        operationId: 'updateMe',
        tags: ['users'],
        summary: 'Change own account',
        description: 'Only the sent fields change; `null` clears a field that may be empty.',
        body: UserUpdate,
        response: { 200: envelope(User), ...errors(409) }
      }
    },
    async (request, reply) => {
      const changes = normalizeNames(request.body)
      const { caller } = request
      const { body } = await request.transaction(async (trx) => {
        await reply.requireState(async () => {
          await lockUser(trx, caller.id)
          return readMe(trx, request)
        })
        // Not the name that the caller had when the request began.
        const before = changes.username === undefined ? undefined : await lockUser(trx, caller.id)
        await updateMe(trx, caller, changes)
        if (before !== undefined) dropPosts(app, trx, before.username)
        await app.changes.record(trx, 'user', caller.id)
        const details = app.audit.difference(before ?? {}, changes, ['username'])
        return { status: 200, body: success('Account updated', await findMe(trx, caller)), details }
      })
      return body
    }
  )

  app.delete(
    '',
    {
      config: { auth: { permission: 'delete:user:me' }, ifMatch: 'optional' },
      schema: {
        operationId: 'deleteMe',
        tags: ['users'],
        summary: 'Delete own account',
        description:
          'Ends every session and API key; the e-mail address and the username are free again. The last administrator has to stay: 409.',
        response: { 204: Type.Null({ description: 'Deleted' }), ...errors(409) }
      }
    },
    async (request, reply) => {
      await request.transaction((trx) =>
        keepingAnAdmin(trx, rules, async () => {
          const user = await lockUser(trx, request.caller.id)
          await reply.requireState(() => readMe(trx, request))
          // Gone already: by a parallel request of their own, or by an administrator's.
          if (user !== undefined) await closeAccount(app, trx, request, user, { hard: false })
          return { status: 204, body: null }
        })
      )
      return reply.code(204).send(null)
    }
  )
}

export default me
