import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { bindingOf } from '../../../../../../db/account-tokens.ts'
import { confirmPassword, findCredentials } from '../../../../../../db/credentials.ts'
import { normalizeEmail } from '../../../../../../db/users.ts'
import { invalid, Unauthorized } from '../../../../../../plugins/envelope/errors.ts'
import { errors, Message, success } from '../../../../../../plugins/envelope/schema.ts'
import { EmailChange } from './schema.ts'

const emailChange: FastifyPluginAsyncTypebox = async (app) => {
  app.post(
    '',
    {
      config: { auth: { permission: 'update:user:me' } },
      bodyLimit: 16_384,
      schema: {
        operationId: 'requestEmailChange',
        tags: ['users'],
        summary: 'Ask for another e-mail address',
        description:
          'Mails a link to the new address, which stays without effect until it is confirmed (`confirmEmailChange`), and tells the old one. A wrong current password is a 422 that names the field.',
        body: EmailChange,
        response: { 202: Message, ...errors(429, 503) }
      }
    },
    async (request, reply) => {
      const email = normalizeEmail(request.body.email)
      const { id, user_id } = request.caller
      const user = await findCredentials(app.db, user_id)
      if (user === undefined) throw new Unauthorized('This account no longer exists')
      if (user.email === email) throw invalid('email', 'is the address of this account')

      const proven = await app.lockout.attempt(request, user.username, async () => {
        const { valid } = await app.passwords.verify(user.password_hash, request.body.current_password)
        if (valid) return user
        await app.audit.recordFailure(app.db, { action: 'email_change.failed', account: { id }, request })
        return null
      })
      if (proven === null) throw invalid('current_password', 'is wrong')
      const { status, body } = await request.transaction(async (trx) => {
        const { password_hash, username } = user
        // Another request may have changed the password meanwhile.
        if (!(await confirmPassword(trx, user_id, password_hash, password_hash))) {
          throw invalid('current_password', 'is wrong')
        }
        const target = { target_type: 'user', target_id: id }
        await app.audit.record(trx, { action: 'email.change_requested', ...target, request })
        const binding = bindingOf('change_email', user)
        const origin = app.audit.originOf(request)
        await app.jobs.enqueue(trx, 'mail.change_email', { user_id: id, email, binding, origin })
        await app.jobs.enqueue(trx, 'mail.notice', { letter: 'email_change_requested', to: user.email, username })
        return { status: 202, body: success('A mail to the new address is on its way', null) }
      })
      return reply.code(status).send(body)
    }
  )
}

export default emailChange
