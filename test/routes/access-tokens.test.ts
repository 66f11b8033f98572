import { createPublicKey, randomUUID } from 'node:crypto'
import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify, UnsecuredJWT } from 'jose'
import t, { type Test } from 'tap'
import { signIn, signUp, startApp } from '../support/app.ts'
import { forge, secondSignature, signingKey, signRaw } from '../support/forged-tokens.ts'

const [hs, ed, es, rs] = [signingKey('HS256'), signingKey('EdDSA'), signingKey('ES256'), signingKey('RS256')]
const keys = [hs, ed, es, rs]
const secret = Buffer.from(hs.entry.split(':')[2] ?? '', 'base64url')

const app = await startApp(t, { JWT_KEYS: keys.map(({ entry }) => entry).join(), JWT_SECRET: '' })
const user = await signUp(app)
const good = decodeJwt(user.accessToken)

const ask = (headers: Record<string, string>, remoteAddress = '127.0.0.1') =>
  app.inject({ url: '/api/v1/users/me', headers, remoteAddress })
const me = (token: string, remoteAddress?: string) => ask({ authorization: `Bearer ${token}` }, remoteAddress)

async function refused(t: Test, token: string, why: string) {
  const answer = await me(token)
  t.equal(answer.statusCode, 401, why)
  t.equal(answer.headers['www-authenticate'], 'Bearer realm="api", error="invalid_token"', why)
  t.match(answer.headers['content-type'], /^application\/json/)
  const { request_id, ...body } = answer.json()
  t.ok(request_id)
  const message = 'The access token is invalid or has expired'
  t.same(
    body,
    { status: 'error', code: 401, error_code: 'ACCESS_TOKEN_INVALID', message },
    'one answer for every fault'
  )
}

t.test('the tokens that all forgeries start from are good, under every key', async (t) => {
  for (const key of keys) t.equal((await me(await forge(good, key))).statusCode, 200, key.alg)
  t.match(decodeProtectedHeader(user.accessToken), { alg: 'HS256', kid: hs.kid, typ: 'at+jwt' })
})

t.test('A01: unsigned tokens are refused, however "none" is spelt', async (t) => {
  await refused(t, new UnsecuredJWT(good).encode(), 'by a library')
  const [, payload = ''] = user.accessToken.split('.')
  for (const alg of ['none', 'None', 'NONE', 'nOnE', '', null, 'HS256']) {
    for (const kid of [hs.kid, ed.kid, undefined]) {
      const header = Buffer.from(JSON.stringify({ alg, kid, typ: 'at+jwt' })).toString('base64url')
      await refused(t, `${header}.${payload}.`, `${alg} under ${kid}`)
    }
  }
})

t.test('A02: a token verifies only by the algorithm of the key it names', async (t) => {
  for (const alg of ['HS384', 'HS512']) await refused(t, await forge(good, hs, { alg }), alg)
  for (const alg of ['RS384', 'PS256', 'PS512']) await refused(t, await forge(good, rs, { alg }), alg)
  for (const key of [ed, es, rs]) {
    for (const { kid } of keys.filter((other) => other !== key)) {
      await refused(t, await forge(good, key, { kid }), `${key.alg} under the kid of another key`)
    }
  }
})

t.test('A03: no published key serves as a secret', async (t) => {
  for (const jwk of (await app.inject('/.well-known/jwks.json')).json().keys) {
    const key = createPublicKey({ key: jwk, format: 'jwk' })
    const pem = key.export({ type: 'spki', format: 'pem' }).toString()
    for (const secret of [pem, pem.trim(), key.export({ type: 'spki', format: 'der' }), JSON.stringify(jwk)]) {
      for (const alg of ['HS256', jwk.alg]) {
        await refused(t, signRaw({ alg, kid: jwk.kid, typ: 'at+jwt' }, good, secret), `${jwk.alg} key as ${alg} secret`)
      }
    }
  }
})

t.test('A04: keys that the header brings or points to are never used', async (t) => {
  const own = { ...hs, kid: 'mine', key: Buffer.alloc(32, 7) }
  const jwk = { kty: 'oct', k: own.key.toString('base64url') } as never // no type of the library has a secret there
  const url = 'https://evil.example/keys'
  for (const header of [{ jwk }, { jku: url }, { x5u: url }, { x5c: [own.key.toString('base64')] }]) {
    await refused(t, await forge(good, own, header), Object.keys(header).join())
    await refused(t, await forge(good, own, { ...header, kid: hs.kid }), `${Object.keys(header)} with a known kid`)
  }
  for (const kid of [
    '../../../dev/null',
    '/dev/null',
    "' or 1=1 --",
    '__proto__',
    'constructor',
    'x'.repeat(512),
    ''
  ]) {
    await refused(t, await forge(good, hs, { kid }), `kid ${kid.slice(0, 20)}`)
    await refused(t, await forge(good, { ...hs, key: Buffer.from('\0') }, { kid }), `kid ${kid.slice(0, 20)}, null key`)
  }
})

t.test('A05: critical extensions are refused', async (t) => {
  const header = { alg: 'HS256', kid: hs.kid, typ: 'at+jwt' }
  for (const crit of [['exp'], ['b64'], ['unknown'], [], '', null, false, {}]) {
    await refused(t, signRaw({ ...header, crit, b64: false, unknown: 1 }, good, secret), JSON.stringify(crit))
  }
})

t.test('A06: exp is required, and over at its second', async (t) => {
  const now = Math.floor(Date.now() / 1000)
  for (const exp of [undefined, null, 'soon', String(now + 900), [now + 900], 0, -1, now - 1, now, now - 61]) {
    await refused(t, signRaw({ alg: 'HS256', kid: hs.kid, typ: 'at+jwt' }, { ...good, exp }, secret), `exp ${exp}`)
  }
})

t.test('A07: a token from the future is refused', async (t) => {
  const now = Math.floor(Date.now() / 1000)
  for (const claim of ['iat', 'nbf']) {
    for (const ahead of [61, 3600])
      await refused(t, await forge({ ...good, [claim]: now + ahead }, hs), `${claim} +${ahead} s`)
  }
  await refused(t, await forge({ ...good, iat: undefined }, hs), 'no iat at all')
})

t.test('A08: issuer and audience are required and exact', async (t) => {
  for (const claim of ['iss', 'aud']) {
    const value = String(good[claim])
    for (const other of [
      undefined,
      null,
      '',
      `${value}/`,
      value.toUpperCase(),
      [value],
      [value, 'other'],
      `${value} `
    ]) {
      const token = signRaw({ alg: 'HS256', kid: hs.kid, typ: 'at+jwt' }, { ...good, [claim]: other }, secret)
      await refused(t, token, `${claim} ${JSON.stringify(other)}`)
    }
  }
})

t.test('A09: a refresh token is no access token, and the reverse', async (t) => {
  const { accessToken, refreshToken } = await signIn(app, user)
  await refused(t, refreshToken, 'a refresh token')
  for (const typ of ['JWT', 'rt+jwt', 'reset+jwt', 'at+jwt+x']) await refused(t, await forge(good, hs, { typ }), typ)
  await refused(t, signRaw({ alg: 'HS256', kid: hs.kid }, good, secret), 'without a type')

  const payload = { refresh_token: accessToken }
  const byRefresh = await app.inject({ method: 'POST', url: '/api/v1/auth/refresh', payload })
  t.match([byRefresh.statusCode, byRefresh.json().error_code], [401, 'REFRESH_TOKEN_INVALID'])
  const byToken = await postToken({ grant_type: 'refresh_token', refresh_token: accessToken })
  t.match([byToken.statusCode, byToken.json().error], [400, 'invalid_grant'])
  t.equal((await me(accessToken)).statusCode, 200, 'and neither harmed the session')
})

t.test('A10 A11: a signed-out session is dead at once, in every encoding of every token', async (t) => {
  const { headers, accessToken } = await signIn(app, user)
  const claims = decodeJwt(accessToken)
  const first = await forge(claims, es)
  const tokens = [accessToken, first, secondSignature(first), await forge({ ...claims, jti: randomUUID() }, hs)]
  for (const token of tokens) t.equal((await me(token)).statusCode, 200, 'alive, and remembered')

  t.equal((await app.inject({ method: 'POST', url: '/api/v1/auth/logout', headers })).statusCode, 204)

  for (const token of tokens) await refused(t, token, 'dead')
  await refused(t, await forge({ ...claims, extra: 1 }, rs), 'and so is what nobody has shown before')
  await refused(t, `${accessToken}=`, 'another spelling')
  t.equal((await me(user.accessToken)).statusCode, 200, 'the other session lives')
})

for (const [id, what, change] of [
  ['A12', 'deleted', { deleted_at: new Date().toISOString() }],
  ['A13', 'disabled', { is_active: false }]
] as const) {
  t.test(`${id}: when a user is ${what} their access and refresh tokens are dead`, async (t) => {
    const person = await signUp(app)
    t.equal((await me(person.accessToken)).statusCode, 200)

    await app.database.transaction(async (trx) => {
      await trx.updateTable('users').set(change).where('public_id', '=', person.id).execute()
      await app.changes.record(trx, 'user', person.id)
    })

    await refused(t, person.accessToken, 'access')
    const { refreshToken: refresh_token } = person
    const refreshed = await app.inject({ method: 'POST', url: '/api/v1/auth/refresh', payload: { refresh_token } })
    t.match([refreshed.statusCode, refreshed.json().error_code], [401, 'REFRESH_TOKEN_INVALID'])
    const granted = await postToken({ grant_type: 'refresh_token', refresh_token })
    t.match([granted.statusCode, granted.json().error], [400, 'invalid_grant'])
    const { email: username, password } = person
    const signedIn = await postToken({ grant_type: 'password', username, password })
    t.match([signedIn.statusCode, signedIn.json().error], [400, 'invalid_grant'])
  })
}

t.test('A16: a token counts in its header alone', async (t) => {
  const token = user.accessToken
  t.not((await app.inject(`/api/v1/users/me?access_token=${token}`)).statusCode, 200)
  const headers = { cookie: `access_token=${token}`, 'x-access-token': token, 'proxy-authorization': `Bearer ${token}` }
  t.equal((await ask(headers)).statusCode, 401)
})

t.test('A17: without credentials the challenge names no error', async (t) => {
  for (const headers of [{}, { authorization: 'Basic YTpi' }, { authorization: '' }]) {
    const answer = await ask(headers)
    t.match([answer.statusCode, answer.json().error_code], [401, 'UNAUTHORIZED'])
    t.equal(answer.headers['www-authenticate'], 'Bearer realm="api"')
  }
})

t.test('A18: a thousand garbage and forged tokens cost little', async (t) => {
  const garbage = ['x', '.', '..', 'a.b.c', 'e30.e30.e30', 'A'.repeat(8000), `${'A'.repeat(2000)}.`.repeat(3)]
  const forger = { ...hs, key: Buffer.alloc(32, 'not the secret') }
  const start = process.cpuUsage()
  for (let index = 0; index < 1000; index++) {
    const token = index % 2 ? `${garbage[index % 7]}${index}` : await forge({ ...good, sub: `${index}` }, forger)
    // An address each, so that it is the token's cost that is measured and not the lockout's refusal.
    const remoteAddress = `198.51.${index >> 8}.${index & 255}`
    const { statusCode } = await me(token, remoteAddress)
    if (statusCode !== 401) t.fail(`${statusCode} for ${token.slice(0, 40)}`)
  }
  const { user: cpu, system } = process.cpuUsage(start)
  t.ok((cpu + system) / 1000 / 1000 < 5, 'less than 5 ms of CPU each, making and sending it included')
})

t.test('A19: however it was issued, a token says who and which session, and nothing else', async (t) => {
  const { email: username, password, refreshToken: refresh_token } = await signUp(app)
  const refreshed = await app.inject({ method: 'POST', url: '/api/v1/auth/refresh', payload: { refresh_token } })
  const granted = await postToken({ grant_type: 'password', username, password })
  for (const token of [user.accessToken, refreshed.json().data.access_token, granted.json().access_token]) {
    t.same(Object.keys(decodeJwt(token)).sort(), ['aud', 'exp', 'iat', 'iss', 'jti', 'sid', 'sub'])
    t.same(Object.keys(decodeProtectedHeader(token)).sort(), ['alg', 'kid', 'typ'])
    t.match(decodeJwt(token), { sub: /^[0-9a-f-]{36}$/, sid: /^[0-9a-f-]{36}$/, jti: /^[0-9a-f-]{36}$/ })
  }
})

t.test('another service verifies our tokens with the published keys', async (t) => {
  const answer = await app.inject('/.well-known/jwks.json')
  t.match(answer.headers, { 'content-type': /^application\/json/, 'cache-control': 'public, max-age=300' })
  t.notMatch(answer.body, /"(d|p|q|dp|dq|qi|k)":/, 'no private member')
  const keys = createLocalJWKSet(answer.json())
  const expected = { issuer: 'plinth', audience: 'plinth-api', typ: 'at+jwt' }
  for (const key of [ed, es, rs]) {
    const { payload } = await jwtVerify(await forge(good, key), keys, expected)
    t.equal(payload.sub, user.id)
  }
})

const postToken = (parameters: Record<string, string>) =>
  app.inject({
    method: 'POST',
    url: '/api/v1/auth/token',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    payload: new URLSearchParams(parameters).toString()
  })
