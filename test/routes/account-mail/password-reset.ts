import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import { signIn, signUp } from '../../support/app.ts'
import { type Mailbox, tokenOf } from '../../support/mailbox.ts'
import { INVALID, mailClient, verdict } from './client.ts'

const NEW = 'Another-horse-2'

export function testPasswordReset(t: Test, app: FastifyInstance, mailbox: Mailbox): void {
  const { post, login, idle, userOf, eventsAbout, age } = mailClient(app)
  const forgot = (email: string, headers: object = {}) => post('/auth/forgot-password', { email }, headers)
  const reset = (token: string, new_password = NEW) => post('/auth/reset-password', { token, new_password })
  const statusOf = async (headers: Record<string, string>) =>
    (await app.inject({ url: '/api/v1/users/me', headers })).statusCode

  /** Somebody who got a mail for a new password, and no other one. */
  async function forgetful() {
    const user = await signUp(app)
    await mailbox.next(user.email)
    await forgot(user.email)
    const mail = await mailbox.next(user.email)
    return { ...user, mail, token: tokenOf(mail) }
  }

  t.test('P09: a reset token sets the password once, ends every session, and proves the address', async (t) => {
    const user = await forgetful()
    const device = await signIn(app, user)
    for (const { headers } of [user, device]) t.equal(await statusOf(headers), 200)

    const answer = await reset(user.token)

    t.match([answer.statusCode, answer.json()], [200, { message: 'Password set', data: { sessions_revoked: 2 } }])
    for (const { headers } of [user, device]) t.equal(await statusOf(headers), 401)
    t.equal((await post('/auth/refresh', { refresh_token: device.refreshToken })).statusCode, 401)
    t.equal((await login(user.email, user.password)).statusCode, 401)
    t.equal((await login(user.email, NEW)).statusCode, 200)
    t.equal((await userOf(user.username)).is_verified, true)
    t.match(await mailbox.next(user.email), { subject: 'Plinth: your password was changed' })
    const event = { actor_id: user.id, ip: '127.0.0.1', request_id: answer.headers['x-request-id'] }
    t.match(
      (await eventsAbout(user.id)).filter(({ action }) => action === 'password.reset'),
      [{ ...event, details: { sessions_revoked: 2 } }]
    )
    t.same(verdict(await reset(user.token, 'Third-horse-3')), INVALID)
    t.equal((await login(user.email, NEW)).statusCode, 200)
  })

  t.test('P09: used many times at once, a token works once', async (t) => {
    const user = await forgetful()
    const wanted = Array.from({ length: 10 }, (_, n) => `Parallel-horse-${n}`)
    const answers = await Promise.all(wanted.map((password) => reset(user.token, password)))
    t.same(answers.map(({ statusCode }) => statusCode).sort(), [200, ...Array(9).fill(422)])
    const winner = wanted[answers.findIndex(({ statusCode }) => statusCode === 200)] ?? ''
    t.equal((await login(user.email, winner)).statusCode, 200)
    t.equal((await eventsAbout(user.id)).filter(({ action }) => action === 'password.reset').length, 1)
  })

  t.test('P09: a password that is refused costs neither the token nor a hash', async (t) => {
    const user = await forgetful()
    for (const password of ['short', 'password123', user.email, user.username, 'x'.repeat(129)]) {
      const refused = await reset(user.token, password)
      t.match([refused.statusCode, refused.json().errors?.[0].field], [422, 'new_password'], password.slice(0, 20))
    }
    t.equal(await statusOf(user.headers), 200)
    t.equal((await reset(user.token)).statusCode, 200)
  })

  t.test('P09: it is dead after 30 minutes, a new password, a new address, and with the account', async (t) => {
    const users = [
      await forgetful(),
      await forgetful(),
      await forgetful(),
      await forgetful(),
      await forgetful()
    ] as const
    const [late, changed, moved, inactive, deleted] = users
    const set = (username: string, values: object) =>
      app.db.updateTable('users').set(values).where('username', '=', username).execute()
    await age((await userOf(late.username)).id, 30)
    const payload = { current_password: changed.password, new_password: NEW }
    t.equal((await post('/users/me/change-password', payload, changed.headers)).statusCode, 200)
    await set(moved.username, { email: `moved-${moved.email}` })
    await set(inactive.username, { is_active: false })
    await app.inject({ method: 'DELETE', url: '/api/v1/users/me', headers: deleted.headers })

    const before = await app.db.selectFrom('users').select(['id', 'password_hash']).orderBy('id').execute()
    for (const { token } of users) t.same(verdict(await reset(token, 'Third-horse-3')), INVALID)
    t.same(await app.db.selectFrom('users').select(['id', 'password_hash']).orderBy('id').execute(), before)
    await forgot(late.email)
    t.equal((await reset(tokenOf(await mailbox.next(late.email)))).statusCode, 200, 'the next one works')
  })

  t.test('P09: of two mails both links are good until one of them is used', async (t) => {
    const user = await forgetful()
    await forgot(user.email)
    const second = tokenOf(await mailbox.next(user.email))
    t.not(second, user.token)
    t.equal((await reset(user.token)).statusCode, 200)
    t.same(verdict(await reset(second, 'Third-horse-3')), INVALID)
  })

  t.test(
    'P07: known, unknown, deactivated and deleted addresses get one answer, and only the known one a mail',
    async (t) => {
      const [user, inactive, deleted] = [await signUp(app), await signUp(app), await signUp(app)]
      await app.db.updateTable('users').set({ is_active: false }).where('username', '=', inactive.username).execute()
      await app.inject({ method: 'DELETE', url: '/api/v1/users/me', headers: deleted.headers })
      await idle()
      const before = mailbox.delivered.length
      const answers = []
      for (const email of [user.email, inactive.email, deleted.email, 'nobody@example.com', user.email.toUpperCase()]) {
        answers.push(await forgot(email))
      }
      const visible = answers.map(({ statusCode, headers, body }) => {
        const {
          'x-request-id': _i,
          'server-timing': _t,
          'x-response-time': _r,
          date: _d,
          ratelimit: _l,
          ...rest
        } = headers
        return { statusCode, rest, body }
      })
      t.equal(visible[0]?.statusCode, 202)
      t.same(visible, Array(5).fill(visible[0]))
      await idle()
      const recipients = mailbox.delivered.slice(before).flatMap((one) => one.recipients)
      t.same(recipients, [user.email, user.email])
    }
  )

  t.test('nobody fills a mailbox: five mails an hour, whoever asks', async (t) => {
    const user = await signUp(app)
    await mailbox.next(user.email)
    await idle()
    const before = mailbox.delivered.length
    for (let n = 0; n < 8; n++) t.equal((await forgot(user.email)).statusCode, 202)
    await idle()
    t.equal(mailbox.delivered.length - before, 5)
    await age((await userOf(user.username)).id, 61)
    await forgot(user.email)
    await idle()
    t.equal(mailbox.delivered.length - before, 6)
  })

  t.test('P10: whatever Host or X-Forwarded-Host says, links lead to PUBLIC_URL', async (t) => {
    const user = await signUp(app)
    await mailbox.next(user.email)
    for (const headers of [
      { host: 'evil.example' },
      { host: 'evil.example:443', 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'http' },
      { 'x-forwarded-host': 'evil.example', forwarded: 'host=evil.example', origin: 'https://evil.example' },
      { 'x-forwarded-prefix': '/evil.example', referer: 'https://evil.example', 'x-original-url': '//evil.example' }
    ]) {
      t.equal((await forgot(user.email, headers)).statusCode, 202)
      const { text = '', html = '' } = await mailbox.next(user.email)
      const hosts = [...`${text} ${html}`.matchAll(/\bhttps?:\/\/([^/"\s]+)/g)].map(([, host]) => host)
      t.same([...new Set(hosts)], ['plinth.example.com'])
      t.notMatch(text + html, 'evil')
    }
  })
}
