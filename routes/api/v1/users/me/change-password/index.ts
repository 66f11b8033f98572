import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { confirmPassword, findCredentials } from '../../../../../../db/credentials.ts'
import { invalid, Unauthorized } from '../../../../../../plugins/envelope/errors.ts'
import { envelope, errors, success } from '../../../../../../plugins/envelope/schema.ts'
import { SessionsRevoked } from '../../../auth/schema.ts'
import { PasswordChange } from './schema.ts'

const changePassword: FastifyPluginAsyncTypebox = async (app) => {
  app.post(
    '',
    {
      config: { auth: 'required' },
      bodyLimit: 16_384,
      schema: {
        operationId: 'changePassword',
        tags: ['users'],
        summary: 'Change own password',
        description:
          'Ends every other session of the caller; their tokens are dead at once. This one stays. A wrong current password is a 422 that names the field.',
        body: PasswordChange,
        response: { 200: envelope(SessionsRevoked), ...errors(429, 503) }
      }
    },
    async (request) => {
      const { current_password, new_password } = request.body
      const { id, user_id, session_id } = request.caller
      const user = await findCredentials(app.db, user_id)
      if (user === undefined) throw new Unauthorized('This account no longer exists')
      const problem = app.passwords.problem(new_password, user)
      if (problem) throw invalid('new_password', problem)

      const proven = await app.lockout.attempt(request, user.username, async () => {
        const { valid } = await app.passwords.verify(user.password_hash, current_password)
        if (valid) return user
        await app.audit.recordFailure(app.db, { action: 'password_change.failed', account: { id }, request })
        return null
      })
      if (proven === null) throw wrongPassword()
      const password_hash = await app.passwords.hash(new_password)
      const { body } = await request.transaction(async (trx) => {
        // Another request may have changed the password while this one was hashing.
        if (!(await confirmPassword(trx, user_id, user.password_hash, password_hash))) throw wrongPassword()
        const sessions_revoked = await app.sessions.revokeAll(trx, user_id, 'password_changed', session_id ?? undefined)
        const target = { target_type: 'user', target_id: id }
        await app.audit.record(trx, { action: 'password.changed', ...target, details: { sessions_revoked }, request })
        const { email: to, username } = user
        await app.jobs.enqueue(trx, 'mail.notice', { letter: 'password_changed', to, username })
        return { status: 200, body: success('Password changed', { sessions_revoked }) }
      })
      return body
    }
  )
}

/** Not a 401: the access token is good, and a client that refreshes on 401 would only repeat the mistake. */
const wrongPassword = () => invalid('current_password', 'is wrong')

export default changePassword
