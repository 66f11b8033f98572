import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { CursorOptions } from '../../../../db/cursors.ts'
import type { DefaultRoleOptions } from '../../../../db/roles.ts'
import type { DefaultTierOptions } from '../../../../db/tiers.ts'
import { insertUser, normalizeEmail, normalizeUsername } from '../../../../db/users.ts'
import { invalid } from '../../../../plugins/envelope/errors.ts'
import { created, errors, page, success } from '../../../../plugins/envelope/schema.ts'
import { askToVerify, normalizeNames, shownFields } from './account.ts'
import { userList } from './list.ts'
import { User, UserCreate, UserList, UserQuery } from './schema.ts'

const users: FastifyPluginAsyncTypebox<CursorOptions & DefaultRoleOptions & DefaultTierOptions> = async (
  app,
  { cursors, defaultRole, defaultTier }
) => {
  app.get(
    '',
    {
      config: { auth: { permission: 'read:user:all' } },
      schema: {
        operationId: 'listUsers',
        tags: ['users'],
        summary: 'List users',
        description:
          'In numbered pages; with `limit` or `cursor` as a walk, whose every part costs the same. Filters combine; `include` adds roles and permissions.',
        querystring: UserQuery,
        response: { 200: UserList }
      }
    },
    async ({ query: { username, email, role = null, is_active = null, is_verified = null, ...query } }) => {
      const filters = {
        // What cannot be a username is nobody's.
        username: username === undefined ? null : (normalizeUsername(username) ?? ''),
        email: email === undefined ? null : normalizeEmail(email),
        role,
        is_active,
        is_verified
      }
      return page('Users', await userList(query)(app.db, cursors, filters, query))
    }
  )

  app.post(
    '',
    {
      config: { auth: { permission: 'create:user:all' }, audit: 'user.created' },
      bodyLimit: 16_384,
      schema: {
        operationId: 'createUser',
        tags: ['users'],
        summary: 'Create a user',
        description:
          'An account with the role that new users get, and a mail that verifies its address unless `is_verified` says so. A taken e-mail address or username answers 409.',
        body: UserCreate,
        response: { 201: created(User), ...errors(409) }
      }
    },
    async (request, reply) => {
      const { password, ...fields } = normalizeNames(request.body)
      const problem = app.passwords.problem(password, fields)
      if (problem) throw invalid('password', problem)
      const password_hash = await app.passwords.hash(password)
      const { body, location } = await request.transaction(async (trx) => {
        const { user_id: _, ...user } = await insertUser(trx, { ...fields, password_hash }, defaultRole, defaultTier)
        await askToVerify(app, trx, request, user)
        const location = `/api/v1/users/${user.id}`
        const details = app.audit.difference({}, fields, shownFields)
        return { status: 201, body: success('User created', user), location, details }
      })
      return reply.code(201).header('location', location).send(body)
    }
  )
}

export default users
