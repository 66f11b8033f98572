import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { findToken, useToken } from '../../../../db/account-tokens.ts'
import { replacePassword } from '../../../../db/credentials.ts'
import { normalizeEmail } from '../../../../db/users.ts'
import { invalid } from '../../../../plugins/envelope/errors.ts'
import { envelope, errors, Message, success } from '../../../../plugins/envelope/schema.ts'
import { AccountTokenInvalid } from './errors.ts'
import { MailRequest, PasswordReset, SessionsRevoked } from './schema.ts'

/** `POST /auth/forgot-password` and `POST /auth/reset-password`. */
const passwordReset: FastifyPluginAsyncTypebox = async (app) => {
  app.post(
    '/forgot-password',
    {
      config: { auth: 'public' },
      bodyLimit: 16_384,
      schema: {
        operationId: 'forgotPassword',
        tags: ['auth'],
        summary: 'Ask for a new password',
        description:
          'Mails a link, if the address belongs to an active account. Answer and time are the same if it does not.',
        body: MailRequest,
        response: { 202: Message }
      }
    },
    async (request, reply) => {
      const { status, body } = await request.transaction(async (trx) => {
        // Whose address it is, if anybody's, only the job finds out: here all are alike, in time too.
        const payload = { email: normalizeEmail(request.body.email), origin: app.audit.originOf(request) }
        await app.jobs.enqueue(trx, 'mail.reset_password', payload)
        return { status: 202, body: success('If this address belongs to an account, a mail is on its way', null) }
      })
      return reply.code(status).send(body)
    }
  )

  app.post(
    '/reset-password',
    {
      config: { auth: 'public' },
      bodyLimit: 16_384,
      schema: {
        operationId: 'resetPassword',
        tags: ['auth'],
        summary: 'Set a new password',
        description:
          'With the token of the mail: it works once, for 30 minutes, as long as neither the password nor the address changes. Ends every session of the account. A password that is refused leaves the token good.',
        body: PasswordReset,
        response: { 200: envelope(SessionsRevoked), ...errors(422, 503) }
      }
    },
    async (request) => {
      const { token, new_password } = request.body
      // Before anything is hashed: that is for holders of a good token only.
      const owner = await findToken(app.db, 'reset_password', token)
      if (owner === undefined) throw new AccountTokenInvalid()
      const problem = app.passwords.problem(new_password, owner)
      if (problem) throw invalid('new_password', problem)

      const password_hash = await app.passwords.hash(new_password)
      const { body } = await request.transaction(async (trx) => {
        const user = await useToken(trx, 'reset_password', token)
        if (user === undefined) throw new AccountTokenInvalid()
        const { id, user_id, username, email } = user
        await replacePassword(trx, user_id, password_hash)
        const sessions_revoked = await app.sessions.revokeAll(trx, user_id, 'password_reset')
        await app.changes.record(trx, 'user', id)
        const about = { actor_id: id, target_type: 'user', target_id: id }
        await app.audit.record(trx, { action: 'password.reset', ...about, details: { sessions_revoked }, request })
        await app.jobs.enqueue(trx, 'mail.notice', { letter: 'password_changed', to: email, username })
        return { status: 200, body: success('Password set', { sessions_revoked }) }
      })
      return body
    }
  )
}

export default passwordReset
