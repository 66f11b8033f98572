import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { startApp } from '../support/app.ts'
import { startMailbox, tokenOf } from '../support/mailbox.ts'
import { testEmailChange } from './account-mail/email-change.ts'
import { testPasswordReset } from './account-mail/password-reset.ts'
import { testSecrecy } from './account-mail/secrecy.ts'
import { testVerification } from './account-mail/verification.ts'

const logFile = join(t.testdir(), 'log')
const mailbox = await startMailbox(t)
const settings = {
  SMTP_URL: mailbox.url,
  MAIL_FROM: 'Plinth <no-reply@example.com>',
  PUBLIC_URL: 'https://plinth.example.com/app',
  JOBS_IN_PROCESS: 'true'
}
const app = await startApp(t, { ...settings, LOG_LEVEL: 'trace', LOG_FILE: logFile, DB_ECHO: 'true' })

testVerification(t, app, mailbox, settings)
testPasswordReset(t, app, mailbox)
testEmailChange(t, app, mailbox)
testSecrecy(t, app, mailbox)

t.test('O06: no line of the log, at its most talkative, holds a token', (t) => {
  const log = readFileSync(logFile, 'utf8')
  const tokens = mailbox.delivered.map(({ mail }) => tokenOf(mail)).filter(Boolean)
  t.ok(tokens.length > 20 && log.includes('mail sent'))
  t.same(
    tokens.filter((token) => log.includes(token)),
    []
  )
  t.end()
})
