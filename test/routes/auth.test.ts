import t from 'tap'
import { signIn, signUp, startApp } from '../support/app.ts'

const app = await startApp(t, { REFRESH_REUSE_GRACE_SECONDS: '300' })

t.test('registering creates an account that can sign in by e-mail and by username', async (t) => {
  const payload = { email: 'Ada@Example.com', username: 'Ada', password: 'Correct-horse-1', name: 'Ada' }

  const registered = await app.inject({ method: 'POST', url: '/api/v1/auth/register', payload })

  t.equal(registered.statusCode, 201)
  t.equal(registered.headers.location, '/api/v1/users/me')
  t.match(registered.json(), {
    status: 'success',
    message: 'User registered successfully',
    data: {
      email: 'ada@example.com',
      username: 'ada',
      name: 'Ada',
      roles: ['user'],
      is_active: true,
      is_verified: false
    }
  })
  t.notMatch(registered.body, /password|hash|user_id/)
  for (const identifier of ['ada@example.com', 'ADA@EXAMPLE.COM', 'ada', 'ADA']) {
    const answer = await app.inject({
      method: 'POST',
      url: '/api/v1/auth/login',
      payload: { identifier, password: payload.password }
    })
    t.equal(answer.statusCode, 200, identifier)
    t.match(answer.json().data, { token_type: 'Bearer', expires_in: 900, user: { username: 'ada' } })
  }
})

t.test('a taken e-mail address or username is a 409 that names the field', async (t) => {
  const { email, username } = await signUp(app)
  const register = (fields: object) =>
    app.inject({
      method: 'POST',
      url: '/api/v1/auth/register',
      payload: { email: 'new@example.com', username: 'new-name', password: 'Correct-horse-1', ...fields }
    })

  const byEmail = await register({ email: email.toUpperCase() })
  const byUsername = await register({ username: username.toUpperCase() })

  t.match([byEmail.statusCode, byEmail.json().errors], [409, [{ field: 'email' }]])
  t.match([byUsername.statusCode, byUsername.json().errors], [409, [{ field: 'username' }]])
  const { count } = await app.db
    .selectFrom('users')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('username', 'in', ['new-name', username])
    .executeTakeFirstOrThrow()
  t.equal(count, 1, 'neither attempt left a row')
})

t.test('50 identical registrations at once give exactly one account', async (t) => {
  const payload = { email: 'race@example.com', username: 'race', password: 'Correct-horse-1' }

  const answers = await Promise.all(
    Array.from({ length: 50 }, () => app.inject({ method: 'POST', url: '/api/v1/auth/register', payload }))
  )

  t.same(answers.map((a) => a.statusCode).sort(), [201, ...Array(49).fill(409)])
})

t.test('weak passwords and impossible usernames are refused by field', async (t) => {
  const base = { email: 'weak@example.com', username: 'weak-one', password: 'Correct-horse-1' }
  for (const [field, value] of [
    ['password', 'short'],
    ['password', 'weak-one'],
    ['password', 'x'.repeat(129)],
    ['username', 'a@b.example'],
    ['username', '-dash'],
    ['email', 'no-address'],
    ['email', 'ümlaut@example.com']
  ] as const) {
    const answer = await app.inject({
      method: 'POST',
      url: '/api/v1/auth/register',
      payload: { ...base, [field]: value }
    })
    t.equal(answer.statusCode, 422, `${field}: ${value.slice(0, 20)}`)
    t.equal(answer.json().errors[0].field, field)
    t.notOk(answer.body.includes(value), 'the value is not echoed')
  }
})

t.test('P04: an unknown user and a wrong password get the same answer', async (t) => {
  const { email } = await signUp(app)
  const attempt = (identifier: string) =>
    app.inject({ method: 'POST', url: '/api/v1/auth/login', payload: { identifier, password: 'Wrong-horse-1' } })

  const wrong = await attempt(email)
  const unknown = await attempt('nobody@example.com')

  t.equal(wrong.statusCode, 401)
  t.ok(wrong.headers['www-authenticate'])
  const stable = ({ headers, body }: typeof wrong) => {
    const { 'x-request-id': id, 'server-timing': _t, 'x-response-time': _r, date: _d, ...rest } = headers
    return { rest, body: body.replaceAll(String(id), 'ID') }
  }
  t.same(stable(unknown), stable(wrong))
})

t.test('a deactivated account is told so only after its password proved right', async (t) => {
  const user = await signUp(app)
  await app.db.updateTable('users').set({ is_active: false }).where('username', '=', user.username).execute()
  const attempt = (password: string) =>
    app.inject({ method: 'POST', url: '/api/v1/auth/login', payload: { identifier: user.email, password } })

  t.equal((await attempt('Wrong-horse-1')).statusCode, 401)
  const right = await attempt(user.password)
  t.match([right.statusCode, right.json().error_code], [403, 'ACCOUNT_INACTIVE'])
})

t.test('refresh by body rotates, repeats inside the grace and detects later reuse', async (t) => {
  const user = await signUp(app)
  const refresh = (refresh_token: string) =>
    app.inject({ method: 'POST', url: '/api/v1/auth/refresh', payload: { refresh_token } })

  const first = await refresh(user.refreshToken)
  const repeated = await refresh(user.refreshToken)

  t.equal(first.statusCode, 200)
  t.equal(first.headers['cache-control'], 'no-store')
  const second = first.json().data.refresh_token
  t.not(second, user.refreshToken)
  t.equal(repeated.json().data.refresh_token, second, 'the same successor')
  const third = (await refresh(second)).json().data.refresh_token
  const reused = await refresh(user.refreshToken)
  t.match([reused.statusCode, reused.json().error_code], [401, 'REFRESH_TOKEN_REUSED'])
  t.equal((await refresh(third)).statusCode, 401, 'the whole session is dead')
  const { revoked_reason } = await app.db
    .selectFrom('sessions')
    .innerJoin('users', 'users.id', 'sessions.user_id')
    .select('revoked_reason')
    .where('username', '=', user.username)
    .executeTakeFirstOrThrow()
  t.equal(revoked_reason, 'reuse')
  const me = await app.inject({ url: '/api/v1/users/me', headers: user.headers })
  t.equal(me.statusCode, 401, 'its access tokens too')
})

t.test('the refresh cookie is HttpOnly and works for this site only', async (t) => {
  const user = await signUp(app)
  const login = await app.inject({
    method: 'POST',
    url: '/api/v1/auth/login',
    payload: { identifier: user.email, password: user.password }
  })
  const [cookie] = login.cookies
  t.match(cookie, { name: 'refresh_token', path: '/api/v1/auth', httpOnly: true, sameSite: 'Lax', maxAge: 2_592_000 })
  t.notOk(login.json().data.refresh_token, 'not in the body as well')
  const cookies = { refresh_token: cookie?.value ?? '' }
  const refresh = (headers: Record<string, string>, payload?: object) =>
    app.inject({ method: 'POST', url: '/api/v1/auth/refresh', cookies, headers, ...(payload ? { payload } : {}) })

  t.equal((await refresh({ 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' })).statusCode, 403)
  t.equal((await refresh({ origin: 'https://evil.example' })).statusCode, 403)
  t.equal((await refresh({})).statusCode, 403)
  const both = await refresh({ 'sec-fetch-site': 'same-origin' }, { refresh_token: user.refreshToken })
  t.equal(both.statusCode, 400)
  const good = await refresh({ 'sec-fetch-site': 'same-origin' })
  t.equal(good.statusCode, 200)
  t.notOk(good.json().data.refresh_token)
  t.not(good.cookies[0]?.value, cookie?.value)
})

t.test('logout ends the session at once, clears the cookie and is idempotent', async (t) => {
  const user = await signUp(app)
  const other = await signIn(app, user)
  const logout = (headers?: object, payload?: object) =>
    app.inject({
      method: 'POST',
      url: '/api/v1/auth/logout',
      headers: { ...headers },
      ...(payload ? { payload } : {})
    })
  const me = (headers: Record<string, string>) => app.inject({ url: '/api/v1/users/me', headers })
  t.equal((await me(user.headers)).statusCode, 200)

  const first = await logout(user.headers)

  t.equal(first.statusCode, 204)
  t.equal(first.body, '')
  t.match(first.cookies[0], { name: 'refresh_token', value: '', path: '/api/v1/auth' })
  const dead = await me(user.headers)
  t.equal(dead.statusCode, 401)
  t.match(dead.headers['www-authenticate'], /error="invalid_token"/)
  t.equal((await me(other.headers)).statusCode, 200, 'another session of the same user lives')
  t.equal((await logout(user.headers)).statusCode, 204)
  t.equal((await logout()).statusCode, 204)
  t.equal((await logout({}, { refresh_token: 'rt_unknown' })).statusCode, 204)
  t.equal((await logout({ 'content-type': 'application/json' })).statusCode, 204, 'a type without a body')
  t.equal((await logout({}, { refresh_token: other.refreshToken })).statusCode, 204)
  t.equal((await me(other.headers)).statusCode, 401, 'ended by its refresh token')
})
