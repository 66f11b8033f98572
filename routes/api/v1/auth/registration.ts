import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { DefaultRoleOptions } from '../../../../db/roles.ts'
import type { DefaultTierOptions } from '../../../../db/tiers.ts'
import { insertUser, normalizeEmail, normalizeUsername } from '../../../../db/users.ts'
import { invalid } from '../../../../plugins/envelope/errors.ts'
import { created, errors, success } from '../../../../plugins/envelope/schema.ts'
import { User } from '../users/schema.ts'
import { Registration } from './schema.ts'

/** `POST /auth/register`. */
const registration: FastifyPluginAsyncTypebox<DefaultRoleOptions & DefaultTierOptions> = async (
  app,
  { defaultRole, defaultTier }
) => {
  app.post(
    '/register',
    {
      config: { auth: 'public' },
      bodyLimit: 16_384,
      schema: {
        operationId: 'register',
        tags: ['auth'],
        summary: 'Register',
        description:
          'Creates an account and mails a link that verifies its address. A taken e-mail address or username is answered with 409 and names the field.',
        body: Registration,
        response: { 201: created(User), ...errors(409) }
      }
    },
    async (request, reply) => {
      const { password, name = null } = request.body
      const email = normalizeEmail(request.body.email)
      const username = normalizeUsername(request.body.username)
      if (username === null) throw invalid('username', 'must have 3 to 30 of a–z, 0–9, "_", "." and "-"')
      const problem = app.passwords.problem(password, { email, username })
      if (problem) throw invalid('password', problem)

      const password_hash = await app.passwords.hash(password)
      const { status, body, location } = await request.transaction(async (trx) => {
        const { user_id, ...user } = await insertUser(
          trx,
          { email, username, name, password_hash },
          defaultRole,
          defaultTier
        )
        const target = { target_type: 'user', target_id: user.id }
        await app.audit.record(trx, { action: 'user.created', actor_id: user.id, ...target, request })
        await app.jobs.enqueue(trx, 'mail.verify_email', { email, origin: app.audit.originOf(request) })
        return { status: 201, body: success('User registered successfully', user), location: '/api/v1/users/me' }
      })
      return reply.code(status).header('location', location).send(body)
    }
  )
}

export default registration
