import { SignJWT } from 'jose'
import t from 'tap'
import { generateSecrets } from '../../src/secrets.ts'
import { signIn, signUp, startApp } from '../support/app.ts'
import { mode } from '../support/mode.ts'

const secrets = generateSecrets()
const variables = {
  ...secrets,
  MAX_FAILED_ATTEMPTS: '5',
  TRUST_PROXY: '10.0.0.0/8',
  REDIS_PREFIX: `test:${crypto.randomUUID()}:`
}
const app = await startApp(t, variables)

/** An address that no other test uses. */
let count = 0
const newAddress = () => `203.0.113.${++count}`

interface From {
  ip?: string
  headers?: Record<string, string>
}

const post = (url: string, payload: object | undefined, { ip = '127.0.0.1', headers = {} }: From = {}) =>
  app.inject({ method: 'POST', url, headers, remoteAddress: ip, ...(payload && { payload }) })

const login = (identifier: string, password: string, from?: From) =>
  post('/api/v1/auth/login', { identifier, password, delivery: 'body' }, from)

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

/** The statuses of wrong sign-ins, one after the other. */
async function failures(times: number, identifier: string, from: From): Promise<number[]> {
  const statuses: number[] = []
  for (let index = 0; index < times; index++) {
    statuses.push((await login(identifier, 'Wrong-horse-1', from)).statusCode)
  }
  return statuses
}

const altered = (token: string) => `${token.slice(0, -4)}${token.endsWith('AAAA') ? 'BBBB' : 'AAAA'}`

const FIVE = [401, 401, 401, 401, 401]

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
    .sign(Buffer.from(secrets.JWT_SECRET))

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

t.test('a right password does not count, though its account is deactivated', async (t) => {
  const user = await signUp(app)
  const ip = newAddress()
  await app.db.updateTable('users').set({ is_active: false }).where('username', '=', user.username).execute()
  for (let round = 0; round < 6; round++) t.equal((await login(user.email, user.password, { ip })).statusCode, 403)
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

t.test('P15: who guesses at an account locks out nobody but himself', async (t) => {
  const victim = await signUp(app)
  const [home, attacker] = [newAddress(), newAddress()]
  t.equal((await login(victim.email, victim.password, { ip: home })).statusCode, 200)
  t.same(await failures(6, victim.email, { ip: attacker }), [...FIVE, 429])

  t.equal(
    (await login(victim.email, victim.password, { ip: newAddress() })).statusCode,
    200,
    'at a new address, at once'
  )
  t.same(await failures(4, victim.email, { ip: newAddress() }), [401, 401, 401, 401])
  t.same(await failures(1, victim.email, { ip: newAddress() }), [401], 'the tenth')

  const ip = newAddress()
  const delayed = await login(victim.email, victim.password, { ip })
  t.match([delayed.statusCode, delayed.json().error_code], [429, 'LOCKED_OUT'])
  t.equal(delayed.headers['retry-after'], '1')
  t.equal((await login(victim.email, victim.password, { ip: home })).statusCode, 200, 'from a known one at once')
  const deadline = Date.now() + 10_000
  let answer = delayed
  while (answer.statusCode === 429 && Date.now() < deadline) answer = await login(victim.email, victim.password, { ip })
  t.equal(answer.statusCode, 200, 'from a new one after the delay')
  t.equal((await login(victim.email, victim.password, { ip })).statusCode, 200, 'which is known from now on')
  const { target_id } = await app.db
    .selectFrom('audit_events')
    .select('target_id')
    .where('action', '=', 'account.locked')
    .where('target_type', '=', 'user')
    .executeTakeFirstOrThrow()
  t.equal(target_id, victim.id)
})

t.test('P15: an address where a session was ended for a suspicion is no known one', async (t) => {
  const user = await signUp(app)
  const [home, thief] = [newAddress(), newAddress()]
  await login(user.email, user.password, { ip: home })
  await login(user.email, user.password, { ip: thief })
  await app.db
    .updateTable('sessions')
    .set({ revoked_at: 'now', revoked_reason: 'reuse' })
    .where('ip', '=', thief)
    .execute()
  for (let index = 0; index < 10; index++) await failures(1, user.username, { ip: newAddress() })

  t.equal((await login(user.username, user.password, { ip: thief })).statusCode, 429)
  t.equal((await login(user.username, user.password, { ip: home })).statusCode, 200)
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

t.test('P18: a success resets what was failed on that account', async (t) => {
  const user = await signUp(app)
  const ip = newAddress()
  for (let round = 0; round < 3; round++) {
    t.same(await failures(4, user.email, { ip }), [401, 401, 401, 401])
    t.equal((await login(user.email.toUpperCase(), user.password, { ip })).statusCode, 200)
  }
  t.same(await failures(6, user.email, { ip }), [...FIVE, 429])
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

t.test('P19: a wrong current password counts like any other', async (t) => {
  const user = await signUp(app)
  const ip = newAddress()
  const change = (current_password: string) =>
    post(
      '/api/v1/users/me/change-password',
      { current_password, new_password: 'Another-horse-2' },
      { ip, headers: user.headers }
    )

  t.equal((await change('')).statusCode, 422, 'it is required')
  for (let index = 0; index < 5; index++) {
    const answer = await change('Wrong-horse-1')
    t.match([answer.statusCode, answer.json().errors], [422, [{ field: 'current_password' }]])
  }
  const refused = await change(user.password)
  t.match([refused.statusCode, refused.json().error_code], [429, 'LOCKED_OUT'])
  t.equal((await login(user.email, user.password)).statusCode, 200, 'it was not changed')
})

t.test('an account that does not exist is treated like one that does', async (t) => {
  const user = await signUp(app)
  for (const identifier of [user.email, 'nobody@example.com']) {
    for (let index = 0; index < 10; index++) t.same(await failures(1, identifier, { ip: newAddress() }), [401])
    const delayed = await login(identifier, 'Wrong-horse-1', { ip: newAddress() })
    t.match([delayed.statusCode, delayed.headers['retry-after']], [429, '1'], identifier)
  }
})
