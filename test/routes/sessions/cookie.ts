import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import { signUp } from '../../support/app.ts'
import { DAY, idOf, origin, sessionClient } from './client.ts'

/** The refresh token as a cookie. */
export function testCookie(t: Test, app: FastifyInstance): void {
  const { post, refresh, rowOf, signInByCookie } = sessionClient(app)

  t.test('R07: with a cookie the retry sets the cookie again', async (t) => {
    const { cookies } = await signInByCookie(await signUp(app))
    const ask = (more = {}) => post('refresh', { cookies, headers: { 'sec-fetch-site': 'same-origin' }, ...more })

    const [first, again] = [await ask(), await ask({ payload: {} })]

    t.equal(again.statusCode, 200)
    t.not(first.cookies[0]?.value, cookies.refresh_token)
    t.same(again.cookies, first.cookies)
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
}
