import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { useToken } from '../../../../db/account-tokens.ts'
import { normalizeEmail } from '../../../../db/users.ts'
import { errors, Message, success } from '../../../../plugins/envelope/schema.ts'
import { AccountTokenInvalid } from './errors.ts'
import { setVerifiedEmail } from './queries.ts'
import { AccountToken, MailRequest } from './schema.ts'

/** `POST /auth/verify-email`, `/auth/verify-email/resend` and `/auth/email-change/confirm`. */
const verification: FastifyPluginAsyncTypebox = async (app) => {
  app.post(
    '/verify-email',
    {
      config: { auth: 'public' },
      bodyLimit: 16_384,
      schema: {
        operationId: 'verifyEmail',
        tags: ['auth'],
        summary: 'Verify an e-mail address',
        description:
          'With the token of the mail that registering sends: it works once, for 24 hours, for that address.',
        body: AccountToken,
        response: { 200: Message, ...errors(422) }
      }
    },
    async (request) => {
      const { body } = await request.transaction(async (trx) => {
        const user = await useToken(trx, 'verify_email', request.body.token)
        if (user === undefined) throw new AccountTokenInvalid()
        await setVerifiedEmail(trx, user.user_id, user.email)
        await app.changes.record(trx, 'user', user.id)
        const about = { actor_id: user.id, target_type: 'user', target_id: user.id }
        await app.audit.record(trx, { action: 'email.verified', ...about, request })
        return { status: 200, body: success('E-mail address verified', null) }
      })
      return body
    }
  )

  app.post(
    '/verify-email/resend',
    {
      config: { auth: 'public' },
      bodyLimit: 16_384,
      schema: {
        operationId: 'resendVerification',
        tags: ['auth'],
        summary: 'Send the verification mail again',
        description: 'The answer is the same whether there is such an account or not, verified or not.',
        body: MailRequest,
        response: { 202: Message }
      }
    },
    async (request, reply) => {
      const { status, body } = await request.transaction(async (trx) => {
        const payload = { email: normalizeEmail(request.body.email), origin: app.audit.originOf(request) }
        await app.jobs.enqueue(trx, 'mail.verify_email', payload)
        return { status: 202, body: success('If this address waits for verification, a mail is on its way', null) }
      })
      return reply.code(status).send(body)
    }
  )

  app.post(
    '/email-change/confirm',
    {
      config: { auth: 'public' },
      bodyLimit: 16_384,
      schema: {
        operationId: 'confirmEmailChange',
        tags: ['auth'],
        summary: 'Confirm a new e-mail address',
        description:
          'With the token of the mail to the new address: it works once, for an hour, as long as neither the address nor the password changes. The old address is told. 409 when another account has the new one by now.',
        body: AccountToken,
        response: { 200: Message, ...errors(409, 422) }
      }
    },
    async (request) => {
      const { body } = await request.transaction(async (trx) => {
        const user = await useToken(trx, 'change_email', request.body.token)
        if (user === undefined) throw new AccountTokenInvalid()
        const { id, user_id, username, email, mailed_to } = user
        await setVerifiedEmail(trx, user_id, mailed_to)
        await app.changes.record(trx, 'user', id)
        const about = { actor_id: id, target_type: 'user', target_id: id }
        await app.audit.record(trx, { action: 'email.changed', ...about, request })
        await app.jobs.enqueue(trx, 'mail.notice', { letter: 'email_changed', to: email, username })
        return { status: 200, body: success('E-mail address changed', null) }
      })
      return body
    }
  )
}

export default verification
