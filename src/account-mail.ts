import { type Static, Type } from '@sinclair/typebox'
import type { FastifyInstance } from 'fastify'
import { issueToken, type TokenOwner, type TokenPurpose } from '../db/account-tokens.ts'
import type { JobRun } from '../plugins/jobs/index.ts'
import { MailRefused, type Message } from '../plugins/mail/index.ts'
import { Nullable, text } from '../plugins/validation/schema.ts'

/** Which request asked for the mail, as `app.audit.originOf` keeps it. */
export const Origin = Type.Object(
  { ip: Nullable(text(64)), user_agent: Nullable(text(512)), request_id: Nullable(text(64)) },
  { additionalProperties: false }
)

/** Payload of the mails that anybody may ask for: whether there is such a user is found out by the job. */
export const ToAddress = Type.Object({ email: text(254), origin: Origin }, { additionalProperties: false })
export type ToAddress = Static<typeof ToAddress>

/** A mail server may be out for a while: tried for about an hour and a half, each time a little later. */
export const mailAttempts = {
  retryLimit: 14,
  retryDelaySeconds: 2,
  retryDelayMaxSeconds: 900,
  timeoutSeconds: 120
}

/** What became of a mail; all of them end the job. */
export type Outcome = 'sent' | 'refused' | 'not due'

interface TokenMail {
  purpose: TokenPurpose
  owner: TokenOwner
  to: string
  origin: Static<typeof Origin>
}

/** Mails a token that is made now, when the job runs: only its hash is kept, and no queue ever holds it. */
export async function mailToken(
  app: FastifyInstance,
  run: JobRun<'mail.verify_email' | 'mail.reset_password' | 'mail.change_email'>,
  { purpose, owner, to, origin }: TokenMail
): Promise<Outcome> {
  if (!app.mail.isOn) return 'not due'
  const token = await app.database.transaction((trx) => issueToken(trx, { purpose, owner, to, jobId: run.id }))
  if (token === null) {
    app.log.warn({ user: owner.id, purpose }, 'no mail: the account had as many as it gets in an hour')
    return 'not due'
  }
  const outcome = await deliver(app, { ...app.letters[purpose](owner.username, token), to, messageId: run.id })
  await run.complete(async (trx) => {
    const target = { actor_id: null, target_type: 'user', target_id: owner.id }
    await app.audit.record(trx, { action: 'account_token.mailed', ...target, details: { purpose, outcome }, origin })
    return outcome
  })
  return outcome
}

/** Hands the mail over, or throws to be tried again. Where there is no such mailbox, trying again does not help. */
export async function deliver(app: FastifyInstance, message: Message): Promise<Outcome> {
  try {
    await app.mail.send(message)
    return 'sent'
  } catch (error) {
    if (error instanceof MailRefused) return 'refused'
    throw error
  }
}
