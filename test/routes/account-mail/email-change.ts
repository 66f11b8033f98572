import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import { bindingOf } from '../../../db/account-tokens.ts'
import { findCredentials } from '../../../db/credentials.ts'
import { signUp } from '../../support/app.ts'
import { type Mailbox, tokenOf } from '../../support/mailbox.ts'
import { INVALID, mailClient, verdict } from './client.ts'

export function testEmailChange(t: Test, app: FastifyInstance, mailbox: Mailbox): void {
  const { post, login, idle, userOf, eventsAbout, age } = mailClient(app)
  const confirm = (token: string) => post('/auth/email-change/confirm', { token })

  async function member() {
    const user = await signUp(app)
    const verify = tokenOf(await mailbox.next(user.email))
    const next = `new-${user.email}`
    const ask = (email = next, current_password = user.password) =>
      post('/users/me/email-change', { email, current_password }, user.headers)
    return { ...user, verify, next, ask }
  }

  t.test('P20: a new address takes the password, is confirmed there and announced to the old one', async (t) => {
    const user = await member()
    // Its delivery is an event, too, which comes after the mail.
    await idle()

    const asked = await user.ask(user.next.toUpperCase())

    t.equal(asked.statusCode, 202)
    const notice = await mailbox.next(user.email)
    t.match(notice, { subject: 'Plinth: your e-mail address is about to change' })
    t.notMatch(`${notice.text}${notice.html}`, /token/)
    const token = tokenOf(await mailbox.next(user.next))
    t.match(await userOf(user.username), { email: user.email, is_verified: false }, 'until then nothing changes')
    t.equal((await login(user.next, user.password)).statusCode, 401)

    const confirmed = await confirm(token)

    t.match([confirmed.statusCode, confirmed.json()], [200, { message: 'E-mail address changed', data: null }])
    t.match(await userOf(user.username), { email: user.next, is_verified: true })
    t.match(await mailbox.next(user.email), { subject: 'Plinth: your e-mail address was changed' })
    t.equal((await login(user.email, user.password)).statusCode, 401)
    t.equal((await login(user.next, user.password)).statusCode, 200)
    const me = await app.inject({ url: '/api/v1/users/me', headers: user.headers })
    t.match(me.json().data, { email: user.next, is_verified: true })
    t.same(verdict(await confirm(token)), INVALID, 'once')
    t.same(
      verdict(await post('/auth/verify-email', { token: user.verify })),
      INVALID,
      'what went to the old one is dead'
    )
    t.match(
      (await eventsAbout(user.id)).map(({ action, actor_id }) => [action, actor_id]),
      [
        ['user.created', user.id],
        ['account_token.mailed', null],
        ['email.change_requested', user.id],
        ['account_token.mailed', null],
        ['email.changed', user.id]
      ]
    )
  })

  t.test('P20: without the password, or for what is no new address, nothing is asked', async (t) => {
    const user = await member()
    await idle()
    const before = mailbox.delivered.length
    for (const [answer, field] of [
      [await user.ask(user.next, 'Wrong-horse-1'), 'current_password'],
      [await user.ask(user.email.toUpperCase()), 'email'],
      [await user.ask('nobody'), 'email'],
      [await user.ask('a@example.com\r\nBcc: b@example.com'), 'email'],
      [await user.ask('a@example.com, b@example.com'), 'email'],
      [await post('/users/me/email-change', { email: user.next }, user.headers), 'current_password']
    ] as const) {
      t.match([answer.statusCode, answer.json().errors?.[0].field], [422, field])
    }
    t.equal((await post('/users/me/email-change', { email: user.next, current_password: 'x' })).statusCode, 401)
    const patched = await app.inject({
      method: 'PATCH',
      url: '/api/v1/users/me',
      headers: user.headers,
      payload: { email: user.next }
    })
    t.equal(patched.statusCode, 422, 'there is no other way to it')
    await idle()
    t.equal(mailbox.delivered.length, before)
    t.equal((await eventsAbout(user.id)).filter(({ action }) => action === 'email_change.failed').length, 1)
  })

  t.test('P20: a change of the password, a later request that was confirmed, or an hour ends it', async (t) => {
    const [stopped, twice, late] = [await member(), await member(), await member()]
    for (const user of [stopped, twice, late]) await user.ask()
    const tokens = []
    for (const user of [stopped, twice, late]) tokens.push(tokenOf(await mailbox.next(user.next)))
    const payload = { current_password: stopped.password, new_password: 'Another-horse-2' }
    t.equal((await post('/users/me/change-password', payload, stopped.headers)).statusCode, 200)
    t.match(await mailbox.next(stopped.email), { subject: /about to change/ })
    t.match(await mailbox.next(stopped.email), { subject: 'Plinth: your password was changed' })
    await twice.ask(`other-${twice.email}`)
    t.equal((await confirm(tokenOf(await mailbox.next(`other-${twice.email}`)))).statusCode, 200)
    await age((await userOf(late.username)).id, 60)

    for (const token of tokens) t.same(verdict(await confirm(token)), INVALID)
    t.equal((await userOf(twice.username)).email, `other-${twice.email}`)
  })

  t.test('P20: a mail that waited for its server is not sent once the password was changed', async (t) => {
    const user = await member()
    const { id, user_id } = await app.db
      .selectFrom('users')
      .select(['public_id as id', 'id as user_id'])
      .where('username', '=', user.username)
      .executeTakeFirstOrThrow()
    const credentials = await findCredentials(app.db, user_id)
    const binding = credentials && bindingOf('change_email', credentials)
    const payload = { current_password: user.password, new_password: 'Another-horse-2' }
    t.equal((await post('/users/me/change-password', payload, user.headers)).statusCode, 200)
    const waited = {
      user_id: id,
      email: user.next,
      binding: binding ?? '',
      origin: { ip: null, user_agent: null, request_id: null }
    }
    const job = await app.database.transaction((trx) => app.jobs.enqueue(trx, 'mail.change_email', waited))
    await idle()
    t.match(await app.jobs.find('mail.change_email', job ?? ''), { state: 'completed', result: 'not due' })
    const tokens = app.db.selectFrom('account_tokens').select('purpose').where('user_id', '=', user_id)
    t.same(await tokens.where('purpose', '=', 'change_email').execute(), [])
  })

  t.test('an address that another account has by then is a 409, and the token stays good', async (t) => {
    const [user, other] = [await member(), await member()]
    await user.ask(other.email)
    const token = tokenOf(await mailbox.next(other.email))
    const refused = await confirm(token)
    t.match([refused.statusCode, refused.json().errors], [409, [{ field: 'email' }]])
    t.equal((await userOf(user.username)).email, user.email)
    await app.inject({ method: 'DELETE', url: '/api/v1/users/me', headers: other.headers })
    t.equal((await confirm(token)).statusCode, 200)
  })
}
