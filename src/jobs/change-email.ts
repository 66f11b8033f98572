import { type Static, Type } from '@sinclair/typebox'
import { bindingOf, findTokenOwner } from '../../db/account-tokens.ts'
import type { Job } from '../../plugins/jobs/index.ts'
import { Id, text } from '../../plugins/validation/schema.ts'
import { mailAttempts, mailToken, Origin } from '../account-mail.ts'

const Payload = Type.Object(
  { user_id: Id(), email: text(254), binding: text(43), origin: Origin },
  { additionalProperties: false }
)

/** Mails the link that makes an address the user's, to that address. */
const job: Job<'mail.change_email'> = {
  name: 'mail.change_email',
  payload: Payload,
  ...mailAttempts,
  async run(run, app) {
    const { user_id, email, binding, origin } = run.payload
    const owner = await findTokenOwner(app.db, { id: user_id })
    // Mails may wait for a server, and whoever changes the password meanwhile puts an end to this.
    if (owner === undefined || bindingOf('change_email', owner) !== binding) return 'not due'
    return mailToken(app, run, { purpose: 'change_email', owner, to: email, origin })
  }
}

declare module '../../plugins/jobs/index.ts' {
  interface JobPayloads {
    'mail.change_email': Static<typeof Payload>
  }
}

export default job
