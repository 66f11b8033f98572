import t from 'tap'
import { signUp, startApp } from '../support/app.ts'

const app = await startApp(t)

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

t.test('P06: a taken e-mail address or username is a 409 that names the field', async (t) => {
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

t.test('a deactivated account is told so only after its password proved right', async (t) => {
  const user = await signUp(app)
  await app.db.updateTable('users').set({ is_active: false }).where('username', '=', user.username).execute()
  const attempt = (password: string) =>
    app.inject({ method: 'POST', url: '/api/v1/auth/login', payload: { identifier: user.email, password } })

  t.equal((await attempt('Wrong-horse-1')).statusCode, 401)
  const right = await attempt(user.password)
  t.match([right.statusCode, right.json().error_code], [403, 'ACCOUNT_INACTIVE'])
})
