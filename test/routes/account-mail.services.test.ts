import t from 'tap'
import { startApp } from '../support/app.ts'
import { startMailbox, tokenOf } from '../support/mailbox.ts'
import { mailClient } from './account-mail/client.ts'

t.test('a mail that the server took only at the second try came twice as one, and either link works', async (t) => {
  const mailbox = await startMailbox(t, {}, 1)
  const app = await startApp(t, { SMTP_URL: mailbox.url, JOBS_IN_PROCESS: 'true' })
  const { post } = mailClient(app)
  const email = 'twice@example.com'
  await post('/auth/register', { email, username: 'twice', password: 'Correct-horse-1' })

  const mails = [await mailbox.next(email), await mailbox.next(email)]

  t.equal(new Set(mails.map(({ messageId }) => messageId)).size, 1)
  const [first = '', second = ''] = mails.map(tokenOf)
  t.not(first, second)
  for (const token of [first, second]) t.equal((await post('/auth/verify-email', { token })).statusCode, 200)
})

t.test('without a mail server, outside local, nothing is sent and no token is made', async (t) => {
  const production = { ENVIRONMENT: 'production', ARGON2_MEMORY_KIB: '7168', JOBS_IN_PROCESS: 'true' }
  const app = await startApp(t, production)
  const { post, idle } = mailClient(app)
  const account = { email: 'off@example.com', username: 'off', password: 'Correct-horse-1' }
  t.equal((await post('/auth/register', account)).statusCode, 201)
  t.equal((await post('/auth/forgot-password', { email: account.email })).statusCode, 202)
  await idle()
  t.equal(
    (await app.jobs.figures()).find(({ dead }) => dead > 0),
    undefined
  )
  t.same(await app.db.selectFrom('account_tokens').selectAll().execute(), [])
})
