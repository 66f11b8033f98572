import { createHmac } from 'node:crypto'
import { sql } from 'kysely'
import t from 'tap'
import { signIn, signUp, startApp } from '../support/app.ts'

const DAY = 86_400
const origin = 'https://app.example.com'
const app = await startApp(t, { COOKIE_SECURE: 'true', CORS_ORIGINS: origin, SESSION_MAX_PER_USER: '5' })

const post = (path: string, options: { payload?: object; headers?: object; cookies?: Record<string, string> } = {}) => {
  const { payload, headers, cookies } = options
  const given = { headers: { ...headers }, ...(payload && { payload }), ...(cookies && { cookies }) }
  return app.inject({ method: 'POST', url: `/api/v1/auth/${path}`, ...given })
}
const refresh = (refresh_token: string) => post('refresh', { payload: { refresh_token } })
const statusOf = async (headers: Record<string, string>) =>
  (await app.inject({ url: '/api/v1/users/me', headers })).statusCode
const idOf = (refreshToken: string) => refreshToken.split('.')[1] ?? ''
const rowOf = (refreshToken: string) =>
  app.db.selectFrom('sessions').selectAll().where('id', '=', idOf(refreshToken)).executeTakeFirstOrThrow()

/** What was recorded about a session or user. */
const eventsAbout = (id: string) =>
  app.db
    .selectFrom('audit_events')
    .select(['action', 'actor_id', 'details'])
    .where('target_id', '=', id)
    .orderBy('id')
    .execute()

/** The successor of a refresh token, and headers with the new access token. */
async function rotated(refreshToken: string) {
  const { data } = (await refresh(refreshToken)).json()
  return { refreshToken: data.refresh_token as string, headers: { authorization: `Bearer ${data.access_token}` } }
}

/** Lets the session's past recede: the database's clock cannot be set. */
const age = (refreshToken: string, seconds: number) =>
  sql`update sessions set
    rotated_at = rotated_at - make_interval(secs => ${seconds}),
    last_used_at = last_used_at - make_interval(secs => ${seconds}),
    expires_at = expires_at - make_interval(secs => ${seconds})
    where id = ${idOf(refreshToken)}`.execute(app.db)

/** Signs in as a browser does: the refresh token comes as a cookie. */
async function signInByCookie({ email, password }: { email: string; password: string }) {
  const answer = await post('login', { payload: { identifier: email, password } })
  return { answer, cookies: { refresh_token: answer.cookies[0]?.value ?? '' } }
}

t.test('R01: each refresh gives a new token, and the one before is of no more use', async (t) => {
  const user = await signUp(app)

  const first = await refresh(user.refreshToken)

  t.equal(first.statusCode, 200)
  const second = await rotated(first.json().data.refresh_token)
  t.equal(new Set([user.refreshToken, first.json().data.refresh_token, second.refreshToken]).size, 3)
  t.match(await rowOf(user.refreshToken), { counter: 2, revoked_at: null })
  t.equal(await statusOf(second.headers), 200)
  t.equal((await refresh(user.refreshToken)).statusCode, 401)
})

t.test('R02: a used token that comes back after the grace ends its session, access tokens included', async (t) => {
  const user = await signUp(app)
  const newest = await rotated(user.refreshToken)
  t.equal(await statusOf(newest.headers), 200)
  await age(user.refreshToken, 11)

  const reused = await refresh(user.refreshToken)

  t.match([reused.statusCode, reused.json().error_code], [401, 'REFRESH_TOKEN_REUSED'])
  const row = await rowOf(user.refreshToken)
  t.not(row.revoked_at, null, 'stored although the request was refused')
  t.equal(row.revoked_reason, 'reuse')
  t.same((await eventsAbout(row.id)).at(-1), { action: 'session.reused', actor_id: user.id, details: null })
  t.match((await refresh(newest.refreshToken)).json(), { code: 401, error_code: 'REFRESH_TOKEN_INVALID' })
  t.equal(await statusOf(newest.headers), 401)
  t.equal(await statusOf(user.headers), 401)
})

t.test('R03: the other sessions of the user live on', async (t) => {
  const user = await signUp(app)
  const other = await signIn(app, user)
  await rotated((await rotated(user.refreshToken)).refreshToken)

  t.equal((await refresh(user.refreshToken)).json().error_code, 'REFRESH_TOKEN_REUSED')

  t.equal(await statusOf(other.headers), 200)
  t.equal((await refresh(other.refreshToken)).statusCode, 200)
})

t.test('R04: 50 refreshes at once with one token get the same successor', async (t) => {
  const user = await signUp(app)

  const answers = await Promise.all(Array.from({ length: 50 }, () => refresh(user.refreshToken)))

  t.same([...new Set(answers.map(({ statusCode }) => statusCode))], [200])
  const successors = new Set(answers.map((answer) => answer.json().data.refresh_token))
  t.equal(successors.size, 1)
  t.match(await rowOf(user.refreshToken), { counter: 1, revoked_at: null })
  t.equal((await refresh([...successors][0])).statusCode, 200, 'and it is good')
})

t.test('R06: a token two steps old is refused in the same second', async (t) => {
  const user = await signUp(app)
  const { refreshToken } = await rotated((await rotated(user.refreshToken)).refreshToken)

  t.equal((await refresh(user.refreshToken)).json().error_code, 'REFRESH_TOKEN_REUSED')
  t.equal((await refresh(refreshToken)).statusCode, 401)
})

t.test('R07: a lost answer can be asked for again, in the grace and no longer', async (t) => {
  const user = await signUp(app)
  const first = await rotated(user.refreshToken)
  await age(user.refreshToken, 5)

  t.equal((await rotated(user.refreshToken)).refreshToken, first.refreshToken, 'the same successor')

  await age(user.refreshToken, 5)
  t.equal((await refresh(user.refreshToken)).json().error_code, 'REFRESH_TOKEN_REUSED', 'the grace is not extended')
})

t.test('R07: with a cookie the retry sets the cookie again', async (t) => {
  const { cookies } = await signInByCookie(await signUp(app))
  const ask = () => post('refresh', { cookies, headers: { 'sec-fetch-site': 'same-origin' } })

  const [first, again] = [await ask(), await ask()]

  t.equal(again.statusCode, 200)
  t.not(first.cookies[0]?.value, cookies.refresh_token)
  t.same(again.cookies, first.cookies)
})

t.test('R08: a session ends after 90 days, however often it was refreshed', async (t) => {
  const user = await signUp(app)
  let { refreshToken } = user
  for (const _ of [1, 2, 3, 4]) {
    await age(user.refreshToken, 22 * DAY)
    refreshToken = (await rotated(refreshToken)).refreshToken
  }
  await age(user.refreshToken, 2 * DAY)

  const late = await refresh(refreshToken)

  t.match([late.statusCode, late.json().error_code], [401, 'REFRESH_TOKEN_INVALID'])
  t.match(await rowOf(user.refreshToken), { counter: 4, revoked_at: null }, 'which is no reuse')
  t.same(await app.sessions.list(app.db, (await rowOf(user.refreshToken)).user_id), [])
})

t.test('R09: a session unused for 30 days is over', async (t) => {
  const [busy, idle] = [await signUp(app), await signUp(app)]
  await age(busy.refreshToken, 30 * DAY - 60)
  await age(idle.refreshToken, 30 * DAY)

  t.equal((await refresh(busy.refreshToken)).statusCode, 200)
  t.match((await refresh(idle.refreshToken)).json(), { code: 401, error_code: 'REFRESH_TOKEN_INVALID' })
})

t.test('R10: who reads the database cannot make a refresh token', async (t) => {
  const user = await signUp(app)
  const row = await rowOf(user.refreshToken)
  const { rows } = await sql<{ row: string }>`select sessions::text as row from sessions`.execute(app.db)
  const [text, mac = ''] = user.refreshToken.split(/\.(?=[^.]+$)/)
  t.ok(Buffer.from(mac, 'base64url').length >= 16, 'at least 128 bits')
  t.notOk(rows.some(({ row }) => row.includes(mac)))

  for (const key of [row.id, row.created_at, '', user.id]) {
    const forged = `${text}.${createHmac('sha256', key).update(`${text}`).digest('base64url')}`
    t.match((await refresh(forged)).json(), { code: 401, error_code: 'REFRESH_TOKEN_INVALID' })
  }
  t.match(await rowOf(user.refreshToken), { counter: 0, revoked_at: null }, 'and a forged one ends no session')
})

t.test('R11: signing out ends the session at once, and asking again changes nothing', async (t) => {
  const user = await signUp(app)
  const other = await signIn(app, user)
  t.equal(await statusOf(user.headers), 200)

  const first = await post('logout', { headers: user.headers })

  t.same([first.statusCode, first.body], [204, ''])
  const { revoked_at, revoked_reason } = await rowOf(user.refreshToken)
  t.equal(revoked_reason, 'logout')
  const dead = await app.inject({ url: '/api/v1/users/me', headers: user.headers })
  t.equal(dead.statusCode, 401)
  t.match(dead.headers['www-authenticate'], /error="invalid_token"/)
  t.equal((await refresh(user.refreshToken)).statusCode, 401)
  t.equal(await statusOf(other.headers), 200, 'another session of the same user lives')

  for (const options of [
    { headers: user.headers },
    { payload: { refresh_token: user.refreshToken } },
    { payload: { refresh_token: 'rt_unknown' } },
    { headers: { authorization: 'Bearer garbage' } },
    { headers: { 'content-type': 'application/json' } },
    {}
  ]) {
    t.equal((await post('logout', options)).statusCode, 204, JSON.stringify(options))
  }
  t.equal((await rowOf(user.refreshToken)).revoked_at, revoked_at)
  t.equal((await post('logout', { payload: { refresh_token: other.refreshToken } })).statusCode, 204)
  t.equal(await statusOf(other.headers), 401, 'ended by its refresh token')
})

t.test('R12: signing out everywhere ends every session of the caller and of nobody else', async (t) => {
  const user = await signUp(app)
  const bystander = await signUp(app)
  const devices = [user, await signIn(app, user), await signIn(app, user)]
  for (const { headers } of devices) t.equal(await statusOf(headers), 200)

  const answer = await post('logout-all', { headers: user.headers })

  t.equal(answer.statusCode, 200)
  t.match(answer.json(), { message: 'Signed out everywhere', data: { sessions_revoked: 3 } })
  t.match(answer.cookies[0], { name: 'refresh_token', value: '', path: '/api/v1/auth' })
  for (const { headers, refreshToken } of devices) {
    t.equal(await statusOf(headers), 401)
    t.equal((await refresh(refreshToken)).statusCode, 401)
    t.equal((await rowOf(refreshToken)).revoked_reason, 'logout_all')
  }
  t.match((await eventsAbout(user.id)).at(-1), { action: 'session.revoked', details: { sessions_revoked: 3 } })
  t.equal(await statusOf(bystander.headers), 200)
  t.equal((await post('logout-all', { headers: user.headers })).statusCode, 401)
})

t.test('R13: people see where they are signed in and end any one of their sessions, nobody else’s', async (t) => {
  const user = await signUp(app)
  const stranger = await signUp(app)
  const headers = { 'user-agent': 'Firefox', 'x-forwarded-for': '203.0.113.9' }
  const login = await post('login', {
    headers,
    payload: { identifier: user.email, password: user.password, delivery: 'body' }
  })
  const other = login.json().data
  const url = '/api/v1/auth/sessions'
  const list = async () => (await app.inject({ url, headers: user.headers })).json().data
  const end = (id: string) => app.inject({ method: 'DELETE', url: `${url}/${id}`, headers: user.headers })

  const [newest, current] = await list()

  t.match(newest, { id: idOf(other.refresh_token), current: false, user_agent: 'Firefox', ip: '127.0.0.1' })
  t.match(current, { id: idOf(user.refreshToken), current: true })
  t.same(Object.keys(newest).sort(), ['created_at', 'current', 'expires_at', 'id', 'ip', 'last_used_at', 'user_agent'])
  t.equal(Date.parse(newest.expires_at) - Date.parse(newest.last_used_at), 30 * DAY * 1000)

  t.equal((await end(newest.id)).statusCode, 204)
  t.equal(await statusOf({ authorization: `Bearer ${other.access_token}` }), 401)
  t.equal((await refresh(other.refresh_token)).statusCode, 401)
  t.equal((await rowOf(other.refresh_token)).revoked_reason, 'revoked')
  t.match((await eventsAbout(newest.id)).at(-1), { action: 'session.revoked', actor_id: user.id })
  t.equal((await list()).length, 1)

  for (const id of [newest.id, idOf(stranger.refreshToken), '00000000-0000-4000-8000-000000000000']) {
    const refused = await end(id)
    t.match([refused.statusCode, refused.json().error_code], [404, 'NOT_FOUND'])
  }
  t.equal(await statusOf(stranger.headers), 200)
  t.equal((await end(current.id)).statusCode, 204, 'the own one too')
  t.equal(await statusOf(user.headers), 401)
})

t.test(
  'R14: the cookie is for this host, this path, this site and no script; cleared with the same attributes',
  async (t) => {
    const { answer, cookies } = await signInByCookie(await signUp(app))
    const attributes = { name: 'refresh_token', path: '/api/v1/auth', httpOnly: true, secure: true, sameSite: 'Lax' }
    t.same(answer.cookies, [{ ...attributes, value: cookies.refresh_token, maxAge: 30 * DAY }])

    const logout = await post('logout', { cookies, headers: { 'sec-fetch-site': 'same-origin' } })

    t.equal(logout.statusCode, 204)
    t.strictSame({ ...logout.cookies[0] }, { ...attributes, value: '', maxAge: 0, expires: new Date(0) })
    t.equal((await rowOf(cookies.refresh_token)).revoked_reason, 'logout', 'and the session it named is over')
  }
)

t.test('R15: the cookie counts only from pages of this site or of an allowed origin', async (t) => {
  const { cookies } = await signInByCookie(await signUp(app))
  const foreign = 'https://evil.example'
  for (const headers of [
    { 'sec-fetch-site': 'cross-site', origin: foreign },
    { 'sec-fetch-site': 'none' },
    { origin: foreign },
    { origin: `${origin}.evil.example` },
    { origin: 'http://localhost:80', 'sec-fetch-site': 'cross-site' },
    { origin: 'null' },
    {}
  ]) {
    for (const path of ['refresh', 'logout', 'logout-all']) {
      const refused = await post(path, { cookies, headers })
      t.equal(refused.statusCode, path === 'logout-all' ? 401 : 403, `${path} ${JSON.stringify(headers)}`)
    }
  }
  const form = { 'content-type': 'text/plain', 'sec-fetch-site': 'cross-site', origin: foreign }
  const simple = await app.inject({
    method: 'POST',
    url: '/api/v1/auth/refresh',
    cookies,
    headers: form,
    payload: '{}'
  })
  t.equal(simple.statusCode, 415, 'a request that needs no preflight')
  t.match(await rowOf(cookies.refresh_token), { counter: 0, revoked_at: null })

  for (const headers of [
    { 'sec-fetch-site': 'same-origin' },
    { 'sec-fetch-site': 'same-site' },
    { origin, 'sec-fetch-site': 'cross-site' },
    { origin: 'http://localhost:80' }
  ]) {
    t.equal((await post('refresh', { cookies, headers })).statusCode, 200, JSON.stringify(headers))
  }
})

t.test('R16: a cookie and a body token together are refused, and neither is used', async (t) => {
  const [user, other] = [await signUp(app), await signUp(app)]
  const { cookies } = await signInByCookie(user)
  const headers = { 'sec-fetch-site': 'same-origin' }
  for (const path of ['refresh', 'logout']) {
    const both = await post(path, { cookies, headers, payload: { refresh_token: other.refreshToken } })
    t.match([both.statusCode, both.json().error_code], [400, 'TWO_REFRESH_TOKENS'])
  }
  for (const token of [cookies.refresh_token, other.refreshToken]) {
    t.match(await rowOf(token), { counter: 0, revoked_at: null })
  }
})

t.test('R17: R18: tokens are never cached, and go by cookie or by body, not both', async (t) => {
  const user = await signUp(app)
  const { answer, cookies } = await signInByCookie(user)
  const byCookie = await post('refresh', { cookies, headers: { 'sec-fetch-site': 'same-origin' } })
  const byBody = await refresh(user.refreshToken)
  const payload = { identifier: user.email, password: user.password, delivery: 'body' }
  const inBody = await post('login', { payload })
  const refused = await refresh('rt_unknown')

  for (const { headers } of [answer, byCookie, byBody, inBody, refused]) {
    t.match(headers['cache-control'], /no-store/)
  }
  for (const { json, cookies } of [answer, byCookie]) {
    t.notOk('refresh_token' in json().data)
    t.equal(cookies.length, 1)
  }
  for (const { json, cookies } of [inBody, byBody]) {
    t.ok(json().data.refresh_token)
    t.same(cookies, [])
  }
})

t.test('R19: signing in never takes up a session that the client brought', async (t) => {
  const attacker = await signUp(app)
  const user = await signUp(app)
  const planted = { refresh_token: attacker.refreshToken }

  const login = await post('login', {
    cookies: planted,
    headers: { 'sec-fetch-site': 'same-origin' },
    payload: { identifier: user.email, password: user.password }
  })

  const [cookie] = login.cookies
  t.equal(login.json().data.user.id, user.id)
  t.not(idOf(cookie?.value ?? ''), idOf(attacker.refreshToken))
  t.not((await rowOf(cookie?.value ?? '')).user_id, (await rowOf(attacker.refreshToken)).user_id)
})

t.test('R20: more sign-ins than allowed end the session unused for longest', async (t) => {
  const user = await signUp(app)
  const devices = [user, ...(await Promise.all([1, 2, 3, 4].map(() => signIn(app, user))))]
  for (const { headers } of devices) t.equal(await statusOf(headers), 200)
  await refresh(user.refreshToken)
  const oldest = (await app.sessions.list(app.db, (await rowOf(user.refreshToken)).user_id)).at(-1)

  await signIn(app, user)

  const ended = devices.filter(({ refreshToken }) => idOf(refreshToken) === oldest?.id)
  t.equal(ended.length, 1)
  for (const device of devices) t.equal(await statusOf(device.headers), device === ended[0] ? 401 : 200)
  t.equal((await rowOf(ended[0]?.refreshToken ?? '')).revoked_reason, 'limit')
  t.match((await eventsAbout(oldest?.id ?? '')).at(-1), { action: 'session.revoked', details: { reason: 'limit' } })

  await Promise.all(Array.from({ length: 12 }, () => signIn(app, user)))
  const { user_id } = await rowOf(user.refreshToken)
  t.equal((await app.sessions.list(app.db, user_id)).length, 5, 'also when many come at once')
})
