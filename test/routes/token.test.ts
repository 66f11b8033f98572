import t from 'tap'
import { signUp, startApp } from '../support/app.ts'

t.test('the token endpoint speaks RFC 6749', async (t) => {
  const app = await startApp(t)
  const user = await signUp(app)
  const post = (parameters: Record<string, string> | string, headers: Record<string, string> = {}) =>
    app.inject({
      method: 'POST',
      url: '/api/v1/auth/token',
      headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
      payload: typeof parameters === 'string' ? parameters : new URLSearchParams(parameters).toString()
    })
  const password = { grant_type: 'password', username: user.email, password: user.password }

  await t.test('the password grant answers bare and sets no cookie', async (t) => {
    const answer = await post(
      { ...password, scope: '', client_id: 'x', unknown: 'ignored' },
      { authorization: 'Basic Og==' }
    )

    t.equal(answer.statusCode, 200, answer.body)
    t.same(Object.keys(answer.json()).sort(), ['access_token', 'expires_in', 'refresh_token', 'token_type'])
    t.equal(answer.headers['cache-control'], 'no-store')
    t.same(answer.cookies, [])
    const me = await app.inject({
      url: '/api/v1/users/me',
      headers: { authorization: `Bearer ${answer.json().access_token}` }
    })
    t.equal(me.json().data.email, user.email)
  })

  await t.test('the refresh_token grant rotates', async (t) => {
    const answer = await post({ grant_type: 'refresh_token', refresh_token: user.refreshToken })
    t.equal(answer.statusCode, 200, answer.body)
    t.not(answer.json().refresh_token, user.refreshToken)
  })

  for (const [title, parameters, error] of [
    ['a wrong password', { ...password, password: 'Wrong-horse-1' }, 'invalid_grant'],
    ['an unknown refresh token', { grant_type: 'refresh_token', refresh_token: 'rt_x' }, 'invalid_grant'],
    ['a missing parameter', { grant_type: 'password', username: 'x' }, 'invalid_request'],
    ['a missing grant type', { username: 'x' }, 'invalid_request'],
    ['an unknown grant type', { grant_type: 'client_credentials' }, 'unsupported_grant_type'],
    ['a repeated parameter', 'grant_type=password&grant_type=password', 'invalid_request'],
    ['NUL', 'grant_type=password&username=a%00b&password=x', 'invalid_request'],
    ['malformed UTF-8', 'grant_type=password&username=%ff%fe&password=x', 'invalid_request']
  ] as const) {
    await t.test(`${title} is ${error}`, async (t) => {
      const answer = await post(parameters)
      t.equal(answer.statusCode, 400, answer.body)
      t.equal(answer.json().error, error)
      t.notOk(answer.json().status, 'not our envelope')
      t.equal(answer.headers['cache-control'], 'no-store')
    })
  }

  await t.test('JSON is refused', async (t) => {
    const answer = await app.inject({ method: 'POST', url: '/api/v1/auth/token', payload: password })
    t.equal(answer.statusCode, 415)
  })
})
