import { createHmac, generateKeyPairSync } from 'node:crypto'
import Fastify from 'fastify'
import { type JWTHeaderParameters, SignJWT, UnsecuredJWT } from 'jose'
import t from 'tap'
import { accessTokensPlugin } from '../../../plugins/access-tokens/index.ts'

const secret = Buffer.from('a secret of thirty-two bytes, at the least')
const invalid = { code: 'ACCESS_TOKEN_INVALID', statusCode: 401 }
const now = 1_800_000_000
const issuer = 'https://issuer.example'
const audience = 'https://api.example'
const good = { sub: 'user', sid: 'session', jti: 'token', iat: now, exp: now + 900, iss: issuer, aud: audience }

const app = Fastify()
t.teardown(() => app.close())
await app.register(accessTokensPlugin, {
  keys: [{ algorithm: 'HS256', secret }],
  issuer,
  audience,
  now: () => now * 1000
})

/** A token by an independent library, signed with our secret unless told otherwise. */
function forge(claims: Record<string, unknown>, header: Partial<JWTHeaderParameters> = {}, key: Uint8Array = secret) {
  return new SignJWT(claims).setProtectedHeader({ alg: 'HS256', typ: 'at+jwt', ...header }).sign(key)
}

const without = (claim: string) => Object.fromEntries(Object.entries(good).filter(([name]) => name !== claim))

/** Any text as header and payload, rightly signed: what no honest library would make. */
function signRaw(header: string, payload: string) {
  const input = `${Buffer.from(header).toString('base64url')}.${Buffer.from(payload).toString('base64url')}`
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`
}

const refused = (t: { throws: typeof import('tap').throws }, token: string, why: string) => {
  t.throws(() => app.accessTokens.verify(token), invalid, why)
  t.throws(() => app.accessTokens.verifyIgnoringExpiry(token), invalid, `${why}, at sign-out`)
}

t.test('the token all forgeries start from is good', async (t) => {
  t.match(app.accessTokens.verify(await forge(good)), { sub: 'user', sid: 'session', jti: 'token' })
  t.match(app.accessTokens.verify(await forge(good, { typ: 'application/at+jwt' })), { sub: 'user' }, 'RFC 9068 §4')
})

t.test('A01: unsigned tokens are refused, however "none" is spelt', async (t) => {
  refused(t, new UnsecuredJWT(good).encode(), 'alg none by a library')
  const [, payload] = (await forge(good)).split('.')
  for (const alg of ['none', 'None', 'NONE', 'nOnE', '', null, 0, [], 'HS256']) {
    const header = Buffer.from(JSON.stringify({ alg, typ: 'at+jwt' })).toString('base64url')
    refused(t, `${header}.${payload}.`, `alg ${JSON.stringify(alg)}, no signature`)
  }
})

t.test('A02: any algorithm but the configured one is refused, though the key be right', async (t) => {
  for (const alg of ['HS384', 'HS512']) refused(t, await forge(good, { alg }, Buffer.alloc(64, secret)), alg)
  for (const [alg, type] of [
    ['RS256', 'rsa'],
    ['ES256', 'ec'],
    ['EdDSA', 'ed25519']
  ] as const) {
    const { privateKey } =
      type === 'rsa'
        ? generateKeyPairSync('rsa', { modulusLength: 2048 })
        : type === 'ec'
          ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
          : generateKeyPairSync('ed25519')
    const token = await new SignJWT(good).setProtectedHeader({ alg, typ: 'at+jwt' }).sign(privateKey)
    refused(t, token, alg)
  }
  refused(t, signRaw('{"alg":"HS512","typ":"at+jwt"}', JSON.stringify(good)), 'HS256 signature that says HS512')
})

t.test('a token under another secret, or changed after signing, is refused', async (t) => {
  refused(t, await forge(good, {}, Buffer.alloc(32, 7)), 'another secret')
  const [header, , signature] = (await forge(good)).split('.')
  const changed = Buffer.from(JSON.stringify({ ...good, sub: 'admin' })).toString('base64url')
  refused(t, `${header}.${changed}.${signature}`, 'another payload')
})

t.test('A04: keys named in the header are never used', async (t) => {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const jwk = publicKey.export({ format: 'jwk' })
  const own = await new SignJWT(good).setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', jwk }).sign(privateKey)
  refused(t, own, 'jwk')
  const oct = { kty: 'oct', k: Buffer.alloc(32, 7).toString('base64url') }
  const header = { jku: 'https://evil.example/jwks', x5u: 'https://evil.example/x5u' }
  refused(t, await forge(good, { ...header, jwk: oct as never }, Buffer.alloc(32, 7)), 'jku, x5u, symmetric jwk')
  for (const kid of ['unknown', '../../dev/null', "' or 1=1", '__proto__', '']) {
    refused(t, await forge(good, { kid }), `kid ${kid}`)
  }
  refused(t, signRaw('{"alg":"HS256","typ":"at+jwt","kid":null}', JSON.stringify(good)), 'kid null')
})

t.test('A05: critical extensions are refused, in any form', async (t) => {
  for (const crit of ['["exp"]', '["b64"]', '[]', '""', 'null', 'false', '0', '{}']) {
    refused(t, signRaw(`{"alg":"HS256","typ":"at+jwt","crit":${crit}}`, JSON.stringify(good)), `crit ${crit}`)
  }
})

t.test('A06 A08: every claim is required and of its type', async (t) => {
  for (const claim of Object.keys(good)) refused(t, await forge(without(claim)), `no ${claim}`)
  for (const claim of ['sub', 'sid', 'jti', 'iss', 'aud']) {
    for (const value of [null, 0, 1, true, '', [], ['user'], {}]) {
      refused(t, signRaw('{"alg":"HS256","typ":"at+jwt"}', JSON.stringify({ ...good, [claim]: value })), claim)
    }
  }
  for (const claim of ['iat', 'exp', 'nbf']) {
    for (const value of [null, 'soon', String(now), true, [], [now], {}]) {
      refused(t, signRaw('{"alg":"HS256","typ":"at+jwt"}', JSON.stringify({ ...good, [claim]: value })), claim)
    }
    const huge = JSON.stringify({ ...good, [claim]: 0 }).replace(`"${claim}":0`, `"${claim}":1e400`)
    refused(t, signRaw('{"alg":"HS256","typ":"at+jwt"}', huge), `${claim} beyond all numbers`)
  }
})

t.test('A06: an expired token is refused', async (t) => {
  for (const exp of [now, now - 1, now - 60, 0, -1]) {
    t.throws(() => app.accessTokens.verify(signRaw('{"alg":"HS256","typ":"at+jwt"}', JSON.stringify({ ...good, exp }))))
  }
})

t.test('A07: a token from the future is refused, beyond a few seconds of clock skew', async (t) => {
  for (const claim of ['iat', 'nbf']) {
    t.match(app.accessTokens.verify(await forge({ ...good, [claim]: now + 5 })), { sub: 'user' })
    for (const ahead of [6, 60, 86_400])
      refused(t, await forge({ ...good, [claim]: now + ahead }), `${claim} +${ahead} s`)
  }
})

t.test('A08: issuer and audience must match exactly', async (t) => {
  for (const iss of [
    'https://issuer.example/',
    'https://ISSUER.example',
    'https://issuer.example.evil',
    'http://issuer.example'
  ]) {
    refused(t, await forge({ ...good, iss }), iss)
  }
  for (const aud of ['https://api.example/', 'other', [audience], [audience, 'other']]) {
    refused(t, await forge({ ...good, aud }), `aud ${JSON.stringify(aud)}`)
  }
})

t.test('A09: a token of another type is no access token', async (t) => {
  for (const typ of ['JWT', 'rt+jwt', 'at', 'at+jwt ', 'verify+jwt']) refused(t, await forge(good, { typ }), typ)
  refused(t, signRaw('{"alg":"HS256"}', JSON.stringify(good)), 'no typ')
  refused(t, signRaw('{"alg":"HS256","typ":["at+jwt"]}', JSON.stringify(good)), 'typ in an array')
  refused(
    t,
    'rt_k1.0b9b7f4e-6a53-4a0f-8b57-5b0f4a0f7e22.0.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA',
    'a refresh token'
  )
})

t.test('A11: a token has one spelling', async (t) => {
  const token = await forge(good)
  app.accessTokens.verify(token)
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const index = alphabet.indexOf(token.at(-1) ?? '')
  for (const twin of [1, 2, 3].map((bits) => alphabet[index ^ bits])) {
    const respelt = token.slice(0, -1) + twin
    t.same(Buffer.from(respelt, 'base64url'), Buffer.from(token, 'base64url'), 'the same bytes')
    refused(t, respelt, `last character ${twin}`)
  }
  for (const other of [
    `${token}=`,
    `${token} `,
    ` ${token}`,
    `${token}\n`,
    token.replace('.', '=.'),
    `${token}.`,
    `.${token}`
  ]) {
    refused(t, other, JSON.stringify(other.slice(-3)))
  }
})

t.test('A18: garbage and oversize tokens are refused, and cheaply', async (t) => {
  const garbage = ['', '.', '..', '...', 'a.b.c', '\u0000', '😀.😀.😀', 'e30.e30.e30', 'bnVsbA.bnVsbA.', '[].[].[]']
  for (const token of garbage) refused(t, token, JSON.stringify(token))
  refused(t, signRaw('null', 'null'), 'null for both')
  refused(t, signRaw('[]', '[]'), 'arrays for both')
  refused(t, signRaw('{"alg":"HS256","typ":"at+jwt"}', '{"sub":'), 'broken payload')
  refused(t, signRaw('{"alg":"HS256","typ":"at+jwt"}', '"text"'), 'payload that is no object')
  refused(t, await forge({ ...good, padding: 'x'.repeat(4000) }), 'rightly signed, beyond 4 KiB')

  const huge = `${'A'.repeat(8_000_000)}.${'A'.repeat(8_000_000)}.AAAA`
  const start = performance.now()
  refused(t, huge, '16 MB')
  t.ok(performance.now() - start < 50, 'without reading it')
})

t.test('A18: refused tokens are not remembered', async (t) => {
  let time = (now - 60) * 1000
  const other = Fastify()
  t.teardown(() => other.close())
  await other.register(accessTokensPlugin, {
    keys: [{ algorithm: 'HS256', secret }],
    issuer,
    audience,
    now: () => time
  })
  const early = await forge(good)
  t.throws(() => other.accessTokens.verify(early), invalid)
  time = now * 1000
  t.match(other.accessTokens.verify(early), { sub: 'user' })
})
