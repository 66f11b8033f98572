import jwt from '@fastify/jwt'
import type { FastifyInstance } from 'fastify'
import type { Expected } from './claims.ts'

/** A key that signs and verifies access tokens. */
export interface AccessTokenKey {
  /** Written into the token's header. Required when there are several keys. */
  kid?: string
  algorithm: 'HS256'
  /** At least 32 bytes. */
  secret: string | Buffer
}

/** The JWT functions that are bound to one key. */
export interface BoundKey {
  sign(payload: Record<string, unknown>): string
  /** Header and payload, when the signature holds; the times are judged by the caller. @throws on any fault */
  verify(token: string): { header: Record<string, unknown>; payload: Record<string, unknown> }
  /** The header, unverified. @throws when the token cannot be decoded */
  readHeader(token: string): Record<string, unknown>
}

type TokenOptions = Expected & { ttlSeconds: number }

const TYPE = 'at+jwt'

/**
 * Binds every key; the first signs, each is found by the `kid` of a token's header.
 *
 * @throws Error on keys that could not protect anything
 */
export async function bindKeys(app: FastifyInstance, keys: AccessTokenKey[], options: TokenOptions) {
  for (const key of keys) checkKey(key)
  const byKid = new Map<unknown, BoundKey>()
  for (const key of keys) byKid.set(key.kid, await bindKey(app, key, options))
  const [first] = keys
  const signing = first && byKid.get(first.kid)
  if (signing === undefined) throw new Error('access-tokens: keys must name at least one key')
  if (byKid.size !== keys.length) throw new Error('access-tokens: several keys need a kid each, and no kid twice')
  return { signing, byKid }
}

function checkKey({ kid, algorithm, secret }: AccessTokenKey): void {
  if (kid !== undefined && !/^[\w.-]{1,64}$/.test(kid))
    throw new Error('access-tokens: a kid has 1 to 64 of [A-Za-z0-9_.-]')
  if (algorithm !== 'HS256') throw new Error(`access-tokens: algorithm ${algorithm} is not supported, use HS256`)
  if (Buffer.byteLength(secret) < 32) throw new Error('access-tokens: a secret must have at least 32 bytes')
}

/** Binds @fastify/jwt to one key, in a scope of its own: the host's `app.jwt` and `request.user` stay the host's. */
async function bindKey(
  app: FastifyInstance,
  key: AccessTokenKey,
  { issuer, audience, ttlSeconds }: TokenOptions
): Promise<BoundKey> {
  const namespace = `access-tokens:${key.kid ?? ''}`
  let bound: jwt.JWT | undefined
  await app.register(async (scope) => {
    await scope.register(jwt, {
      secret: key.secret,
      namespace,
      decoratorName: namespace,
      decode: { complete: true },
      sign: {
        algorithm: key.algorithm,
        header: { alg: key.algorithm, typ: TYPE },
        iss: issuer,
        aud: audience,
        expiresIn: ttlSeconds,
        ...(key.kid !== undefined && { kid: key.kid })
      },
      verify: {
        algorithms: [key.algorithm],
        checkTyp: TYPE,
        requiredClaims: ['sub', 'sid', 'jti', 'iat', 'exp', 'iss', 'aud'],
        allowedIss: issuer,
        allowedAud: audience,
        ignoreExpiration: true,
        ignoreNotBefore: true,
        complete: true
      }
    })
    // With a namespace the decorator is a map, which @fastify/jwt's types know only by augmentation.
    bound = (scope.jwt as unknown as Record<string, jwt.JWT>)[namespace]
  })
  if (bound === undefined) throw new Error('access-tokens: @fastify/jwt did not register')
  const { sign, verify, decode } = bound
  return {
    sign: (payload) => sign(payload),
    verify: (token) => verify(token),
    readHeader: (token) => decode<{ header: Record<string, unknown> }>(token)?.header ?? {}
  }
}
