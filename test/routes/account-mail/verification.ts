import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import { startApp } from '../../support/app.ts'
import { type Mailbox, tokenOf } from '../../support/mailbox.ts'
import { administrator } from '../../support/people.ts'
import { INVALID, mailClient, verdict } from './client.ts'

let count = 0
const account = () => {
  const username = `verify-${count++}`
  return { username, email: `${username}@example.com`, password: `Correct-horse-${username}` }
}

export function testVerification(t: Test, app: FastifyInstance, mailbox: Mailbox, settings: Record<string, string>) {
  const { post, idle, userOf, eventsAbout, age } = mailClient(app)

  t.test('registering mails a link to PUBLIC_URL that verifies the address, once', async (t) => {
    const person = account()
    const registered = await post('/auth/register', { ...person, email: person.email.toUpperCase() })
    const mail = await mailbox.next(person.email)
    const token = tokenOf(mail)

    t.match(mail, { from: { address: 'no-reply@example.com' }, subject: 'Plinth: confirm your e-mail address' })
    const link = `https://plinth.example.com/app/verify-email#token=${token}`
    t.ok(mail.text?.includes(link) && mail.html?.includes(`<a href="${link}">`), mail.text ?? '')
    await idle()
    t.equal((await userOf(person.username)).is_verified, false, 'to send it proves nothing')

    const verified = await post('/auth/verify-email', { token })
    t.match([verified.statusCode, verified.json()], [200, { message: 'E-mail address verified', data: null }])
    t.match(verified.headers['cache-control'], /no-store/)
    t.equal((await userOf(person.username)).is_verified, true)
    t.same(verdict(await post('/auth/verify-email', { token })), INVALID, 'a second time')
    const id = registered.json().data.id
    t.match(await eventsAbout(id), [
      { action: 'user.created' },
      {
        ...{ action: 'account_token.mailed', actor_id: null, ip: '127.0.0.1' },
        ...{ request_id: registered.headers['x-request-id'], details: { purpose: 'verify_email', outcome: 'sent' } }
      },
      { action: 'email.verified', actor_id: id }
    ])
  })

  t.test('a registration that is refused mails nothing', async (t) => {
    const person = account()
    await post('/auth/register', person)
    await mailbox.next(person.email)
    const before = mailbox.delivered.length
    t.equal((await post('/auth/register', { ...person, username: 'verify-other' })).statusCode, 409)
    await idle()
    t.equal(mailbox.delivered.length, before)
  })

  t.test('the mail is sent again to who needs it, and nobody learns who that is', async (t) => {
    const person = account()
    await post('/auth/register', person)
    const first = tokenOf(await mailbox.next(person.email))
    const resend = (email: string) => post('/auth/verify-email/resend', { email })

    const again = await resend(person.email.toUpperCase())
    const second = tokenOf(await mailbox.next(person.email))
    const unknown = await resend('nobody@example.com')

    t.same([again.statusCode, again.body], [202, unknown.body])
    t.equal((await post('/auth/verify-email', { token: first })).statusCode, 200, 'the first link is still good')
    const before = mailbox.delivered.length
    t.same((await resend(person.email)).body, again.body)
    await idle()
    t.equal(mailbox.delivered.length, before, 'verified: no further mail')
    t.not(first, second)
  })

  t.test('a link ends with its day, and with the address that it was for', async (t) => {
    const [late, moved] = [account(), account()]
    for (const person of [late, moved]) await post('/auth/register', person)
    const tokens = [tokenOf(await mailbox.next(late.email)), tokenOf(await mailbox.next(moved.email))]
    await age((await userOf(late.username)).id, 24 * 60)
    await app.db
      .updateTable('users')
      .set({ email: 'moved@example.com' })
      .where('username', '=', moved.username)
      .execute()

    for (const token of tokens) t.same(verdict(await post('/auth/verify-email', { token })), INVALID)
    t.equal((await userOf(moved.username)).is_verified, false)
  })

  t.test('who is made or moved by an administrator verifies alike, unless the administrator vouches', async (t) => {
    const admin = await administrator(app)
    const [made, vouched, batched] = [account(), account(), account()]
    const { id } = (await admin.as.post('/users', made)).json().data
    await admin.as.post('/users', { ...vouched, is_verified: true })
    await admin.as.post('/users/batch', { users: [batched] })
    for (const { email, username } of [made, batched]) {
      t.equal((await post('/auth/verify-email', { token: tokenOf(await mailbox.next(email)) })).statusCode, 200)
      t.equal((await userOf(username)).is_verified, true)
    }
    const email = 'moved-by-admin@example.com'
    t.equal((await admin.as.patch(`/users/${id}`, { email })).json().data.is_verified, false)
    t.match(await mailbox.next(made.email), { subject: 'Plinth: your e-mail address was changed' })
    t.equal((await post('/auth/verify-email', { token: tokenOf(await mailbox.next(email)) })).statusCode, 200)
    await idle()
    const recipients = mailbox.delivered.flatMap((one) => one.recipients)
    t.notOk(recipients.includes(vouched.email))
  })

  t.test(
    'with REQUIRE_EMAIL_VERIFICATION only a verified address signs in, told to who knows the password',
    async (t) => {
      const strict = await startApp(t, { ...settings, REQUIRE_EMAIL_VERIFICATION: 'true' })
      const { post, login } = mailClient(strict)
      const grant = (username: string, password: string) =>
        strict.inject({
          method: 'POST',
          url: '/api/v1/auth/token',
          headers: { 'content-type': 'application/x-www-form-urlencoded' },
          payload: new URLSearchParams({ grant_type: 'password', username, password }).toString()
        })
      const person = account()
      await post('/auth/register', person)
      const token = tokenOf(await mailbox.next(person.email))

      t.same(verdict(await login(person.email, person.password)), [403, 'EMAIL_NOT_VERIFIED'])
      const granted = await grant(person.username, person.password)
      t.match([granted.statusCode, granted.json()], [400, { error: 'invalid_grant', error_description: /verified/ }])
      t.same(verdict(await login(person.email, 'Wrong-horse-1')), [401, 'INVALID_CREDENTIALS'])
      t.equal(await strict.db.selectFrom('sessions').select('id').executeTakeFirst(), undefined)

      t.equal((await post('/auth/verify-email', { token })).statusCode, 200)
      t.equal((await login(person.email, person.password)).statusCode, 200)
      t.equal((await grant(person.username, person.password)).statusCode, 200)

      const [admin, unverified] = [await administrator(strict), await administrator(strict)]
      const verify = (username: string, is_verified: boolean) =>
        strict.db.updateTable('users').set({ is_verified }).where('username', '=', username).execute()
      // The demo administrator of a local service would be a further one.
      await verify('admin', false)
      await verify(admin.username, true)
      const refusals = [
        await admin.as.delete('/users/me'),
        await admin.as.patch(`/users/${admin.id}`, { is_verified: false })
      ]
      t.same(
        refusals.map(verdict),
        Array(2).fill([409, 'LAST_ADMIN']),
        'who cannot sign in is no administrator to rely on'
      )
      const batch = await admin.as.post('/users/batch-delete', { ids: [admin.id] })
      t.match(batch.json().data, [{ error_code: 'LAST_ADMIN' }])
      await verify(unverified.username, true)
      t.equal((await admin.as.delete('/users/me')).statusCode, 204)
    }
  )
}
