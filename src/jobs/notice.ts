import { type Static, Type } from '@sinclair/typebox'
import type { Job } from '../../plugins/jobs/index.ts'
import { StringEnum, text } from '../../plugins/validation/schema.ts'
import { deliver, mailAttempts } from '../account-mail.ts'

const Payload = Type.Object(
  {
    letter: StringEnum(['email_change_requested', 'email_changed', 'password_changed']),
    to: text(254),
    username: text(30)
  },
  { additionalProperties: false }
)

/** Tells people what happened to their account, in case it was not them. */
const job: Job<'mail.notice'> = {
  name: 'mail.notice',
  payload: Payload,
  ...mailAttempts,
  async run({ id, payload: { letter, to, username } }, app) {
    if (!app.mail.isOn) return 'not due'
    return deliver(app, { ...app.letters[letter](username), to, messageId: id })
  }
}

declare module '../../plugins/jobs/index.ts' {
  interface JobPayloads {
    'mail.notice': Static<typeof Payload>
  }
}

export default job
