import { SignJWT } from 'jose'
import t from 'tap'
import { signIn, signUp, startApp } from '../support/app.ts'
import { mode } from '../support/mode.ts'
import { FIVE, type From, lockoutClient, lockoutVariables } from './lockout-client.ts'

const variables = lockoutVariables()
const app = await startApp(t, variables)
const { newAddress, post, login, failures } = lockoutClient(app)

const grant = (parameters: Record<string, string>, { ip = '127.0.0.1' }: From = {}) =>
  app.inject({
    method: 'POST',
    url: '/api/v1/auth/token',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    payload: new URLSearchParams(parameters).toString(),
    remoteAddress: ip
  })

const refresh = (refresh_token: string, from?: From) => post('/api/v1/auth/refresh', { refresh_token }, from)

const me = (authorization: string, { ip = '127.0.0.1' }: From = {}) =>
  app.inject({ url: '/api/v1/users/me', headers: { authorization }, remoteAddress: ip })

const altered = (token: string) => `${token.slice(0, -4)}${token.endsWith('AAAA') ? 'BBBB' : 'AAAA'}`

t.test('P05, P11: nobody is looked up for a client that is locked out', async (t) => {
  const user = await signUp(app)
  const ip = newAddress()
  await failures(5, user.email, { ip })
  const queries = t.capture(app.db, 'executeQuery', app.db.executeQuery)
  const lookUps = () =>
    queries().filter(({ args: [query] }) => 'sql' in query && query.sql.includes('"users"."email"')).length
  for (const { email } of [user, { email: 'nobody@example.com' }]) {
    t.equal((await login(email, user.password, { ip })).statusCode, 429)
  }
  t.equal(lookUps(), 0)
  t.equal((await login(user.email, user.password, { ip: newAddress() })).statusCode, 200)
  t.equal(lookUps(), 1)
})

t.test('P11: five wrong passwords from one client lock it out for fifteen minutes', async (t) => {
  const user = await signUp(app)
  const ip = newAddress()

  t.same(await failures(5, user.email, { ip }), FIVE)
  const refused = await login(user.email, user.password, { ip })

  t.equal(refused.statusCode, 429)
  t.match(refused.headers['retry-after'], /^(900|899|898)$/)
  t.match(refused.json(), { status: 'error', error_code: 'LOCKED_OUT', message: /Try again in (900|899|898) seconds/ })
  const event = await app.db
    .selectFrom('audit_events')
    .select(['target_type', 'ip'])
    .where('action', '=', 'client.locked')
    .where('target_id', '=', ip)
    .execute()
  t.same(event, [{ target_type: 'client', ip }], 'recorded once')
})

t.test(
  'P11: whatever proves to be wrong counts, and whatever is right still works for a client that is locked out',
  async (t) => {
    const user = await signUp(app)
    const ip = newAddress()
    const wrong = {
      login: () => login(user.username, 'Wrong-horse-1', { ip }),
      token: () => grant({ grant_type: 'password', username: user.email, password: 'Wrong-horse-1' }, { ip }),
      'refresh with a bad MAC': () => refresh(altered(user.refreshToken), { ip }),
      'refresh grant with a bad MAC': () =>
        grant({ grant_type: 'refresh_token', refresh_token: altered(user.refreshToken) }, { ip }),
      'forged Bearer': () => me(altered(user.headers.authorization), { ip })
    }

    for (const [name, attempt] of Object.entries(wrong)) t.ok([400, 401].includes((await attempt()).statusCode), name)
    for (const [name, attempt] of Object.entries(wrong)) {
      const refused = await attempt()
      t.match([refused.statusCode, refused.body], [429, /Too many failed attempts/], name)
      t.ok(refused.headers['retry-after'], name)
    }

    t.equal((await me(user.headers.authorization, { ip })).statusCode, 200)
    t.equal((await refresh(user.refreshToken, { ip })).statusCode, 200)
    const optional = await app.inject({
      url: '/',
      headers: { authorization: altered(user.headers.authorization) },
      remoteAddress: ip
    })
    t.equal(optional.statusCode, 200, 'a public route does not look at credentials')
  }
)

t.test('what is expired, revoked or no credential at all never counts', async (t) => {
  const user = await signUp(app)
  const ip = newAddress()
  const ended = await signIn(app, user)
  await app.inject({ method: 'POST', url: '/api/v1/auth/logout', headers: ended.headers })
  const expired = await new SignJWT({ sid: crypto.randomUUID() })
    .setProtectedHeader({ alg: 'HS256', typ: 'at+jwt' })
    .setSubject(user.id)
    .setJti(crypto.randomUUID())
    .setIssuer('plinth')
    .setAudience('plinth-api')
    .setIssuedAt('-2h')
    .setExpirationTime('-1h')
    .sign(Buffer.from(variables.JWT_SECRET))

  for (let round = 0; round < 6; round++) {
    for (const token of [ended.accessToken, expired, 'null', '']) {
      t.equal((await me(`Bearer ${token}`, { ip })).statusCode, 401)
    }
    t.equal((await refresh(ended.refreshToken, { ip })).statusCode, 401)
    t.equal((await refresh(ended.refreshToken.replace(/^rt_[^.]+/, 'rt_gone'), { ip })).statusCode, 401)
    t.equal((await post('/api/v1/auth/refresh', undefined, { ip })).statusCode, 401)
    t.equal((await post('/api/v1/auth/logout', { refresh_token: altered(user.refreshToken) }, { ip })).statusCode, 204)
    t.equal((await login(user.email, '', { ip })).statusCode, 422)
  }
  t.same(await failures(5, user.email, { ip }), FIVE)
})

t.test('P12: other forwarded addresses do not help a client that is no proxy', async (t) => {
  const user = await signUp(app)
  const ip = newAddress()
  const from = (forwarded: string) => ({
    ip,
    headers: { 'x-forwarded-for': forwarded, 'x-real-ip': forwarded, forwarded: `for=${forwarded}` }
  })
  for (let index = 0; index < 5; index++) t.same(await failures(1, user.email, from(`198.51.100.${index}`)), [401])
  t.same(await failures(1, user.email, from('198.51.100.99')), [429])
})

t.test('P13: of a proxy counts the last address that is not a proxy', async (t) => {
  const user = await signUp(app)
  const client = newAddress()
  const from = (forwarded: string, ip = '10.1.2.3') => ({ ip, headers: { 'x-forwarded-for': forwarded } })
  for (let index = 0; index < 5; index++) {
    t.same(await failures(1, user.email, from(`198.51.100.${index}, ${client}, 10.9.9.9`)), [401])
  }
  t.same(await failures(1, user.email, from(`198.51.100.99, ${client}`, '10.3.2.1')), [429])
  t.same(await failures(1, user.email, { ip: client }), [429], 'the same client, directly')
  t.same(await failures(1, user.email, from(newAddress())), [401], 'another client of the proxy')
})

t.test('P14: all spellings of an address, and all of a /64, are one client', async (t) => {
  const user = await signUp(app)
  for (const addresses of [
    [
      '2001:db8:1:2::1',
      '2001:DB8:1:2:ffff:ffff:ffff:ffff',
      '2001:0db8:0001:0002::',
      '2001:db8:1:2:a::',
      '2001:db8:1:2:0:b:0:c'
    ],
    ['192.0.2.77', '::ffff:192.0.2.77', '::ffff:c000:24d', '0:0:0:0:0:FFFF:C000:024D', '::FFFF:192.0.2.77']
  ]) {
    for (const ip of addresses) t.same(await failures(1, crypto.randomUUID(), { ip }), [401], ip)
    for (const ip of addresses) t.same(await failures(1, user.email, { ip }), [429], ip)
  }
  t.same(await failures(1, user.email, { ip: '2001:db8:1:3::1' }), [401])
})

t.test('P16: one password for a thousand accounts: one client tries five', async (t) => {
  const ip = newAddress()
  const own = await signUp(app)
  const statuses: number[] = []
  for (let index = 0; index < 1000; index++) {
    statuses.push((await login(`somebody${index}`, 'Summer2026!', { ip })).statusCode)
    if (index === 3) t.equal((await login(own.email, own.password, { ip })).statusCode, 200, 'a sign-in buys no more')
  }
  t.same(statuses, [...FIVE, ...Array(995).fill(429)])
})

t.test('P17: of a hundred wrong sign-ins at once five are evaluated', async (t) => {
  const user = await signUp(app)
  const ip = newAddress()
  const answers = await Promise.all(Array.from({ length: 100 }, () => login(user.email, 'Wrong-horse-1', { ip })))

  t.same(answers.map(({ statusCode }) => statusCode).sort(), [...FIVE, ...Array(95).fill(429)])
  t.ok(answers.every(({ statusCode, headers }) => statusCode === 401 || Number(headers['retry-after']) >= 1))
  const { count } = await app.db
    .selectFrom('audit_events')
    .select((eb) => eb.fn.sum<string>(eb.ref('count')).as('count'))
    .where('action', '=', 'sign_in.failed')
    .where('target_id', '=', user.id)
    .executeTakeFirstOrThrow()
  t.equal(Number(count), 5, 'by the audit log')
})

if (mode === 'services') {
  t.test('P18: a lock survives a restart and holds in all processes', async (t) => {
    const ip = newAddress()
    t.same(await failures(5, 'restarted@example.com', { ip }), FIVE)
    const restarted = await startApp(t, variables)
    const payload = { identifier: 'somebody@example.com', password: 'Wrong-horse-1' }
    const refused = await restarted.inject({ method: 'POST', url: '/api/v1/auth/login', payload, remoteAddress: ip })
    t.equal(refused.statusCode, 429)
    t.ok(Number(refused.headers['retry-after']) > 800)
  })
}
