import Fastify from 'fastify'
import { decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose'
import t, { type Test } from 'tap'
import { type AccessTokensOptions, accessTokensPlugin } from '../../../plugins/access-tokens/index.ts'

const secret = 'a secret of thirty-two bytes, at the least'
const invalid = { code: 'ACCESS_TOKEN_INVALID', statusCode: 401 }
const settings: AccessTokensOptions = {
  keys: [{ algorithm: 'HS256', secret }],
  issuer: 'https://issuer.example',
  audience: 'https://api.example'
}
const subject = { sub: '4f6d1c7e-0d5f-4a86-9a2b-6f6c0d1f5a11', sid: '0b9b7f4e-6a53-4a0f-8b57-5b0f4a0f7e22' }

async function start(t: Test, options: Partial<AccessTokensOptions> = {}) {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(accessTokensPlugin, { ...settings, ...options })
  await app.ready()
  return app.accessTokens
}

t.test(
  'A19: a signed token says who, which session, for how long, by whom and for whom, and nothing else',
  async (t) => {
    const tokens = await start(t, { ttlSeconds: 600, now: () => 1_800_000_000_750 })

    const { token, expiresIn } = tokens.sign(subject)

    t.equal(expiresIn, 600)
    t.same(decodeProtectedHeader(token), { alg: 'HS256', typ: 'at+jwt' })
    const { jti, ...claims } = decodeJwt(token)
    t.match(jti, /^[0-9a-f-]{36}$/)
    t.same(claims, {
      ...subject,
      iat: 1_800_000_000,
      exp: 1_800_000_600,
      iss: settings.issuer,
      aud: settings.audience
    })
  }
)

t.test('an independent library verifies our tokens', async (t) => {
  const tokens = await start(t)
  const { payload } = await jwtVerify(tokens.sign(subject).token, Buffer.from(secret), {
    algorithms: ['HS256'],
    typ: 'at+jwt',
    issuer: settings.issuer,
    audience: settings.audience,
    requiredClaims: ['sub', 'sid', 'jti', 'iat', 'exp']
  })
  t.match(payload, subject)
})

t.test('no two tokens are the same', async (t) => {
  const tokens = await start(t, { now: () => 1_800_000_000_000 })
  t.not(tokens.sign(subject).token, tokens.sign(subject).token)
})

t.test('a token of ours verifies to its claims, each time', async (t) => {
  const tokens = await start(t)
  const { token } = tokens.sign(subject)
  t.match(tokens.verify(token), subject)
  t.match(tokens.verify(token), subject)
})

t.test('A06: a token dies with its exp, remembered or not', async (t) => {
  let now = 1_800_000_000_000
  const tokens = await start(t, { ttlSeconds: 60, now: () => now })
  const seen = tokens.sign(subject).token
  const unseen = tokens.sign(subject).token
  now += 59_999
  tokens.verify(seen)
  now += 1
  t.throws(() => tokens.verify(seen), invalid)
  t.throws(() => tokens.verify(unseen), invalid)
  t.throws(() => tokens.verify(seen), invalid)
})

t.test('signing out takes an expired token, but never a forged one', async (t) => {
  let now = 1_800_000_000_000
  const tokens = await start(t, { now: () => now })
  const { token } = tokens.sign(subject)
  now += 86_400_000

  t.throws(() => tokens.verify(token), invalid)
  t.match(tokens.verifyIgnoringExpiry(token), subject)
  t.throws(() => tokens.verifyIgnoringExpiry(`${token.slice(0, -4)}AAAA`), invalid)
  t.throws(() => tokens.verify(token), invalid, 'and it is not remembered by that')
})

t.test('A21: the first key signs, all verify, a removed one does not', async (t) => {
  const old = { kid: '2026-01', algorithm: 'HS256', secret: 'the old secret of thirty-two bytes or so' } as const
  const current = { kid: '2026-02', algorithm: 'HS256', secret } as const
  const before = await start(t, { keys: [old] })
  const during = await start(t, { keys: [current, old] })
  const after = await start(t, { keys: [current] })
  const { token } = before.sign(subject)

  t.match(during.verify(token), subject)
  t.throws(() => after.verify(token), invalid)
  const renewed = during.sign(subject).token
  t.equal(decodeProtectedHeader(renewed).kid, '2026-02')
  t.match(after.verify(renewed), subject)
})

t.test('the refusal is 401 with the challenge of RFC 6750 and tells nothing more', async (t) => {
  const tokens = await start(t, { realm: 'plinth' })
  for (const token of ['', 'garbage', `${tokens.sign(subject).token}x`]) {
    t.throws(() => tokens.verify(token), {
      statusCode: 401,
      code: 'ACCESS_TOKEN_INVALID',
      message: 'The access token is invalid or has expired',
      headers: { 'WWW-Authenticate': 'Bearer realm="plinth", error="invalid_token"' }
    })
  }
  t.same(tokens.invalid().headers, { 'WWW-Authenticate': 'Bearer realm="plinth", error="invalid_token"' })
})

t.test('the refusal tells a guess from a token of ours that is no longer good', async (t) => {
  let now = 1_800_000_000_000
  const tokens = await start(t, { now: () => now })
  const other = await start(t, { audience: 'https://other.example' })
  const { token } = tokens.sign(subject)
  now += 900_000
  t.throws(() => tokens.verify(token), { ...invalid, isForged: false }, 'expired')
  t.throws(() => tokens.verify(other.sign(subject).token), { ...invalid, isForged: false }, 'for somebody else')
  t.equal(tokens.invalid('the session has ended').isForged, false)
  for (const mistake of ['', 'null', 'undefined', 'garbage']) {
    t.throws(() => tokens.verify(mistake), { ...invalid, isForged: false }, mistake)
  }
  for (const guess of [
    `${token.slice(0, -4)}AAAA`,
    `${token}x`,
    `${token.split('.', 2).join('.')}.`,
    'a.b.c',
    'x'.repeat(5000)
  ]) {
    t.throws(() => tokens.verify(guess), { ...invalid, isForged: true }, guess.slice(0, 20))
  }
})

t.test('A20: weak, unsupported or ambiguous keys refuse the start', async (t) => {
  const key = { algorithm: 'HS256', secret } as const
  const bad: Array<[Partial<AccessTokensOptions>, RegExp]> = [
    [{ keys: [] }, /at least one key/],
    [{ keys: [{ ...key, secret: 'thirty-one bytes are too few..!' }] }, /at least 32 bytes/],
    [{ keys: [{ ...key, secret: Buffer.alloc(31, 1) }] }, /at least 32 bytes/],
    [{ keys: [{ ...key, algorithm: 'none' as 'HS256' }] }, /the algorithm must be HS256, EdDSA, ES256 or RS256/],
    [
      {
        keys: [
          { ...key, kid: 'a' },
          { ...key, kid: 'a' }
        ]
      },
      /no kid twice/
    ],
    [{ keys: [key, key] }, /need a kid each/],
    [{ keys: [{ ...key, kid: '' }] }, /a kid has/],
    [{ issuer: '' }, /issuer and audience are required/],
    [{ audience: '' }, /issuer and audience are required/],
    [{ ttlSeconds: 0 }, /ttlSeconds/],
    [{ realm: 'a"b' }, /realm/]
  ]
  for (const [options, message] of bad) {
    await t.rejects(async () => Fastify().register(accessTokensPlugin, { ...settings, ...options }), message)
  }
})

t.test('GET /.well-known/jwks.json is public, bare and shows no symmetric key', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(accessTokensPlugin, settings)

  const answer = await app.inject('/.well-known/jwks.json')

  t.equal(answer.statusCode, 200)
  t.same(answer.json(), { keys: [] })
  t.equal(answer.headers['cache-control'], 'public, max-age=300')
})

t.test("the host's own @fastify/jwt and request.user are left alone", async (t) => {
  const { default: jwt } = await import('@fastify/jwt')
  for (const order of ['before', 'after']) {
    const app = Fastify()
    t.teardown(() => app.close())
    if (order === 'before') await app.register(jwt, { secret: 'of the host' })
    await app.register(accessTokensPlugin, settings)
    if (order === 'after') await app.register(jwt, { secret: 'of the host' })
    await app.ready()
    const own = app.jwt.sign({ sub: 'x' })
    t.match(app.jwt.verify(own), { sub: 'x' })
    t.throws(() => app.accessTokens.verify(own), invalid)
    t.match(app.accessTokens.verify(app.accessTokens.sign(subject).token), subject)
  }
})
