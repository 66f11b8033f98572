import { findTokenOwner } from '../../db/account-tokens.ts'
import type { Job } from '../../plugins/jobs/index.ts'
import { mailAttempts, mailToken, ToAddress } from '../account-mail.ts'

/** Mails the link that sets a new password, where the address belongs to an active account. */
const job: Job<'mail.reset_password'> = {
  name: 'mail.reset_password',
  payload: ToAddress,
  ...mailAttempts,
  async run(run, app) {
    const { email, origin } = run.payload
    const owner = await findTokenOwner(app.db, { email })
    if (owner === undefined) return 'not due'
    return mailToken(app, run, { purpose: 'reset_password', owner, to: owner.email, origin })
  }
}

declare module '../../plugins/jobs/index.ts' {
  interface JobPayloads {
    'mail.reset_password': ToAddress
  }
}

export default job
