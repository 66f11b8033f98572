import jwt from '@fastify/jwt'
import type { FastifyInstance } from 'fastify'
import type { Expected } from './claims.ts'
import { type AccessTokenKey, keyProblem, pemOf } from './keys.ts'

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
  for (const key of keys) {
    const problem = keyProblem(key)
    if (problem !== undefined) throw new Error(`access-tokens: ${problem}`)
  }
  const byKid = new Map<unknown, BoundKey>()
  for (const key of keys) byKid.set(key.kid, await bindKey(app, key, options))
  const [first] = keys
  const signing = first && byKid.get(first.kid)
  if (signing === undefined) throw new Error('access-tokens: keys must name at least one key')
  if (byKid.size !== keys.length) throw new Error('access-tokens: several keys need a kid each, and no kid twice')
  return { signing, byKid }
}

/**
 * Binds @fastify/jwt to one key and its algorithm, so that no header can choose another (RFC 8725 §3.1), in a scope of
 * its own: the host's `app.jwt` and `request.user` stay the host's.
 */
async function bindKey(
  app: FastifyInstance,
  key: AccessTokenKey,
  { issuer, audience, ttlSeconds }: TokenOptions
): Promise<BoundKey> {
  const namespace = `access-tokens:${key.kid ?? ''}`
  let bound: jwt.JWT | undefined
  await app.register(async (scope) => {
    await scope.register(jwt, {
      secret: key.algorithm === 'HS256' ? key.secret : pemOf(key),
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

/** Whether a fault that `verify` threw was found after the signature had proved right. */
export function isAfterSignature(error: unknown): boolean {
  return error instanceof Error && 'code' in error && AFTER_SIGNATURE.has(error.code)
}

const AFTER_SIGNATURE = new Set<unknown>([
  'FAST_JWT_INVALID_CRIT_HEADER',
  'FAST_JWT_INVALID_TYPE',
  'FAST_JWT_MISSING_REQUIRED_CLAIM',
  'FAST_JWT_INVALID_CLAIM_TYPE',
  'FAST_JWT_INVALID_CLAIM_VALUE'
])
