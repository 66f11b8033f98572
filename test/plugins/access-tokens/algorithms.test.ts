import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import Fastify from 'fastify'
import { createLocalJWKSet, decodeProtectedHeader, jwtVerify, SignJWT } from 'jose'
import t, { type Test } from 'tap'
import { type AccessTokenKey, accessTokensPlugin } from '../../../plugins/access-tokens/index.ts'
import { secondSignature, signRaw } from '../../support/forged-tokens.ts'

const issuer = 'https://issuer.example'
const audience = 'https://api.example'
const subject = { sub: 'user', sid: 'session' }
const forged = { code: 'ACCESS_TOKEN_INVALID', statusCode: 401, isForged: true }

const privateKeys = {
  ed: generateKeyPairSync('ed25519').privateKey,
  es: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey,
  rs: generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
}
const keys = {
  ed: { kid: 'ed', algorithm: 'EdDSA', privateKey: privateKeys.ed },
  es: { kid: 'es', algorithm: 'ES256', privateKey: privateKeys.es.export({ type: 'sec1', format: 'pem' }).toString() },
  rs: { kid: 'rs', algorithm: 'RS256', privateKey: privateKeys.rs },
  hs: { kid: 'hs', algorithm: 'HS256', secret: Buffer.alloc(32, 'secret of the test') }
} as const
const asymmetric = [keys.ed, keys.es, keys.rs]

async function start(t: Test, ...keys: AccessTokenKey[]) {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(accessTokensPlugin, { keys, issuer, audience })
  await app.ready()
  return app
}

const all = await start(t, keys.ed, keys.es, keys.rs, keys.hs)
const now = Math.floor(Date.now() / 1000)
const good = { ...subject, jti: 'token', iat: now, exp: now + 900, iss: issuer, aud: audience }

for (const key of asymmetric) {
  t.test(`${key.algorithm} tokens verify here, and elsewhere with the published key alone`, async (t) => {
    const app = await start(t, key)
    const { token } = app.accessTokens.sign(subject)
    const answer = await app.inject('/.well-known/jwks.json')

    t.match(app.accessTokens.verify(token), subject)
    t.same(decodeProtectedHeader(token), { alg: key.algorithm, typ: 'at+jwt', kid: key.kid })
    const { payload } = await jwtVerify(token, createLocalJWKSet(answer.json()), { issuer, audience, typ: 'at+jwt' })
    t.match(payload, subject)
    t.match(answer.json().keys, [{ kid: key.kid, use: 'sig', alg: key.algorithm }])
    const published = Object.keys(answer.json().keys[0]).sort()
    const members = { EdDSA: ['crv', 'x'], ES256: ['crv', 'x', 'y'], RS256: ['e', 'n'] }[key.algorithm]
    t.same(published, [...members, 'alg', 'kid', 'kty', 'use'].sort(), 'the public members and no others')
  })
}

t.test('the key set shows each asymmetric key, the signing one first, and no secret', async (t) => {
  const answer = await all.inject('/.well-known/jwks.json')
  t.same(
    answer.json().keys.map(({ kid, kty }: { kid: string; kty: string }) => `${kid} ${kty}`),
    ['ed OKP', 'es EC', 'rs RSA']
  )
})

t.test('A02: a token verifies by the algorithm of its own key alone', async (t) => {
  for (const key of asymmetric) {
    for (const kid of ['ed', 'es', 'rs', 'hs', 'other', undefined]) {
      const header = { alg: key.algorithm, typ: 'at+jwt', ...(kid && { kid }) }
      const token = await new SignJWT(good).setProtectedHeader(header).sign(privateKeys[key.kid])
      if (kid === key.kid) t.match(all.accessTokens.verify(token), subject, `${kid} itself`)
      else t.throws(() => all.accessTokens.verify(token), forged, `${key.algorithm} under kid ${kid}`)
    }
  }
  for (const alg of ['RS384', 'RS512', 'PS256', 'PS384']) {
    const token = await new SignJWT(good).setProtectedHeader({ alg, typ: 'at+jwt', kid: 'rs' }).sign(privateKeys.rs)
    t.throws(() => all.accessTokens.verify(token), forged, `the right RSA key, but ${alg}`)
  }
})

t.test('A03: nothing made of a public key signs a token', async (t) => {
  for (const { kid } of asymmetric) {
    const key = createPublicKey(privateKeys[kid])
    const jwk = key.export({ format: 'jwk' })
    const pem = key.export({ type: 'spki', format: 'pem' }).toString()
    const published = (await all.inject('/.well-known/jwks.json')).json()
    const secrets = [
      pem,
      pem.trim(),
      pem.replaceAll('\n', '\r\n'),
      key.export({ type: 'spki', format: 'der' }),
      JSON.stringify(jwk),
      JSON.stringify(published),
      JSON.stringify(published.keys.find((key: { kid: string }) => key.kid === kid)),
      Buffer.from(String(jwk.x ?? jwk.n), 'base64url'),
      String(jwk.x ?? jwk.n)
    ]
    for (const [index, secret] of secrets.entries()) {
      for (const alg of ['HS256', 'EdDSA', 'ES256', 'RS256']) {
        for (const name of [kid, 'hs']) {
          const token = signRaw({ alg, typ: 'at+jwt', kid: name }, good, secret)
          t.throws(() => all.accessTokens.verify(token), forged, `${kid}: form ${index} as ${alg}, kid ${name}`)
        }
      }
    }
  }
})

t.test(
  'A11: the second ECDSA signature of a token gives the same claims, so it lives and dies with the first',
  async (t) => {
    const { token } = (await start(t, keys.es)).accessTokens.sign(subject)
    const twin = secondSignature(token)
    t.not(twin, token)
    t.same(all.accessTokens.verify(twin), all.accessTokens.verify(token))
  }
)

t.test('A21: keys of different algorithms follow each other without a gap', async (t) => {
  const order = [keys.hs, keys.ed, keys.es, keys.rs]
  for (const [index, next] of order.slice(1).entries()) {
    const old = order[index] ?? keys.hs
    const { token } = (await start(t, old)).accessTokens.sign(subject)
    const during = await start(t, next, old)
    const renewed = during.accessTokens.sign(subject).token

    t.match(during.accessTokens.verify(token), subject, `${old.kid} verifies beside ${next.kid}`)
    t.equal(decodeProtectedHeader(renewed).alg, next.algorithm)
    const after = await start(t, next)
    t.match(after.accessTokens.verify(renewed), subject)
    t.throws(() => after.accessTokens.verify(token), forged)
  }
})

t.test('A20: a key that its algorithm cannot use refuses the start, without showing it', async (t) => {
  const make = (type: 'ec' | 'rsa' | 'ed448', options: object) =>
    // The overloads of generateKeyPairSync want one literal type each.
    generateKeyPairSync(type as 'ec', options as { namedCurve: string }).privateKey
  const bad: Array<[algorithm: 'EdDSA' | 'ES256' | 'RS256', privateKey: AccessTokenKeyMaterial, message: RegExp]> = [
    ['RS256', make('rsa', { modulusLength: 1024 }), /RS256 needs an RSA private key of at least 2048 bits/],
    ['RS256', privateKeys.es, /RS256 needs an RSA/],
    ['ES256', make('ec', { namedCurve: 'P-384' }), /ES256 needs a P-256/],
    ['ES256', make('ec', { namedCurve: 'secp256k1' }), /ES256 needs a P-256/],
    ['ES256', privateKeys.ed, /ES256 needs a P-256/],
    ['EdDSA', make('ed448', {}), /EdDSA needs an Ed25519/],
    ['EdDSA', privateKeys.rs, /EdDSA needs an Ed25519/],
    ['EdDSA', createPublicKey(privateKeys.ed), /EdDSA needs an Ed25519 private key/],
    ['EdDSA', 'hunter2', /^(?!.*hunter2).*EdDSA needs an Ed25519/]
  ]
  for (const [algorithm, privateKey, message] of bad) {
    await t.rejects(start(t, { kid: 'k', algorithm, privateKey }), { message })
  }
  const nameless = { algorithm: 'EdDSA', privateKey: privateKeys.ed } as AccessTokenKey
  await t.rejects(start(t, nameless), { message: /an EdDSA key needs a kid/ })
})

type AccessTokenKeyMaterial = Extract<AccessTokenKey, { privateKey: unknown }>['privateKey']
