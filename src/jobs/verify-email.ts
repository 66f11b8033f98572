import { findTokenOwner } from '../../db/account-tokens.ts'
import type { Job } from '../../plugins/jobs/index.ts'
import { mailAttempts, mailToken, ToAddress } from '../account-mail.ts'

/** Mails the link that proves an address, to who has not proved it yet. */
const job: Job<'mail.verify_email'> = {
  name: 'mail.verify_email',
  payload: ToAddress,
  ...mailAttempts,
  async run(run, app) {
    const { email, origin } = run.payload
    const owner = await findTokenOwner(app.db, { email })
    if (owner === undefined || owner.is_verified) return 'not due'
    return mailToken(app, run, { purpose: 'verify_email', owner, to: owner.email, origin })
  }
}

declare module '../../plugins/jobs/index.ts' {
  interface JobPayloads {
    'mail.verify_email': ToAddress
  }
}

export default job
