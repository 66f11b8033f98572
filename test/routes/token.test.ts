import * as oauth from 'oauth4webapi'
import t from 'tap'
import { portOf, signUp, startApp } from '../support/app.ts'

t.test('the token endpoint speaks RFC 6749', async (t) => {
  const app = await startApp(t)
  const user = await signUp(app)
  const post = (parameters: Record<string, string>, headers: Record<string, string> = {}) =>
    app.inject({
      method: 'POST',
      url: '/api/v1/auth/token',
      headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
      payload: new URLSearchParams(parameters).toString()
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
    ['an unknown grant type', { grant_type: 'client_credentials' }, 'unsupported_grant_type']
  ] as const) {
    await t.test(`${title} is ${error}`, async (t) => {
      const answer = await post(parameters)
      t.equal(answer.statusCode, 400, answer.body)
      t.equal(answer.json().error, error)
      t.notOk(answer.json().status, 'not our envelope')
      t.equal(answer.headers['cache-control'], 'no-store')
    })
  }

  await t.test('a strict OAuth client takes the answers and understands the errors', async (t) => {
    const issuer = `http://127.0.0.1:${await portOf(app)}`
    const server = { issuer, token_endpoint: `${issuer}/api/v1/auth/token` }
    const client = { client_id: 'notes-app' }
    const plain = { [oauth.allowInsecureRequests]: true }
    const emptyBasic: oauth.ClientAuth = (_server, _client, _body, headers) =>
      headers.set('authorization', 'Basic Og==')
    const grant = async (type: string, parameters: Record<string, string>, auth = oauth.None()) =>
      oauth.processGenericTokenEndpointResponse(
        server,
        client,
        await oauth.genericTokenEndpointRequest(server, client, auth, type, parameters, plain)
      )
    const refresh = async (token: string, auth = oauth.None()) =>
      oauth.processRefreshTokenResponse(
        server,
        client,
        await oauth.refreshTokenGrantRequest(server, client, auth, token, plain)
      )
    const person = await signUp(app)
    const proof = { username: person.email, password: person.password }

    for (const auth of [oauth.None(), emptyBasic, oauth.ClientSecretBasic('any'), oauth.ClientSecretPost('any')]) {
      const granted = await grant('password', proof, auth)
      t.match(granted, { token_type: 'bearer', expires_in: 900 })
      const renewed = await refresh(String(granted.refresh_token), auth)
      t.not(renewed.refresh_token, granted.refresh_token)
      const me = new URL('/api/v1/users/me', issuer)
      const answer = await oauth.protectedResourceRequest(renewed.access_token, 'GET', me, undefined, null, plain)
      t.match(await answer.json(), { data: { email: person.email } })
    }

    const refused = (error: string) => ({ name: 'ResponseBodyError', status: 400, error })
    await t.rejects(grant('password', { ...proof, password: 'Wrong-horse-1' }), refused('invalid_grant'))
    await t.rejects(grant('password', { ...proof, username: 'nobody' }), refused('invalid_grant'))
    await t.rejects(refresh('rt_forged'), refused('invalid_grant'))
    await t.rejects(grant('password', { username: person.email }), refused('invalid_request'))
    await t.rejects(grant('client_credentials', {}), refused('unsupported_grant_type'))

    await app.inject({ method: 'POST', url: '/api/v1/auth/logout', headers: person.headers })
    await t.rejects(refresh(person.refreshToken), refused('invalid_grant'), 'of a session that has ended')
    const me = new URL('/api/v1/users/me', issuer)
    const asking = oauth.protectedResourceRequest(person.accessToken, 'GET', me, undefined, null, plain)
    const challenge = { scheme: 'bearer', parameters: { realm: 'api', error: 'invalid_token' } }
    await t.rejects(asking, { name: 'WWWAuthenticateChallengeError', status: 401, cause: [challenge] })
  })
})
