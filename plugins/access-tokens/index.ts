import { randomUUID } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { LRUCache } from 'lru-cache'
import type {} from '../auth/index.ts'
import { bindKeys, isAfterSignature } from './bound-key.ts'
import { type Claims, readClaims } from './claims.ts'
import { AccessTokenInvalid } from './errors.ts'
import { jwksSchema } from './jwks-schema.ts'
import { type AccessTokenKey, publicJwks } from './keys.ts'

export interface AccessTokensOptions {
  /** The first signs, all verify. */
  keys: AccessTokenKey[]
  /** `iss` of every token. */
  issuer: string
  /** `aud` of every token. */
  audience: string
  /** Life of a token in seconds. Default 900. */
  ttlSeconds?: number
  /** Named in the `WWW-Authenticate` challenge. Default `api`. */
  realm?: string
  /** Verified tokens that are remembered. Default 50 000 (about 1 KB each). */
  cacheSize?: number
  /** Milliseconds since 1970. Default `Date.now`. */
  now?: () => number
}

export interface AccessTokens {
  readonly realm: string
  /** A signed token and its life in seconds. */
  sign(subject: { sub: string; sid: string }): { token: string; expiresIn: number }
  /** @throws AccessTokenInvalid */
  verify(token: string): Claims
  /** The claims of a token that verified before and has not expired; `undefined` for any other, which costs nothing. */
  recall(token: string): Claims | undefined
  /** Whether claims that verified before have not expired since. */
  isCurrent(claims: Claims): boolean
  /** For signing out: the claims of a token of ours that may have expired. @throws AccessTokenInvalid */
  verifyIgnoringExpiry(token: string): Claims
  /** The error for a token that verified and yet is no longer good, because its session has ended for example. */
  invalid(cause?: unknown): AccessTokenInvalid
}

declare module 'fastify' {
  interface FastifyInstance {
    accessTokens: AccessTokens
  }
}

/** The compact form (RFC 7515 §7.1). What lacks it is a mistake (`Bearer null`) rather than a guess. */
const JWS = /^[\w-]+\.[\w-]+\.[\w-]*$/
/** Longer ones are refused unread. */
const MAX_TOKEN_LENGTH = 4096

async function accessTokens(app: FastifyInstance, options: AccessTokensOptions): Promise<void> {
  const { keys, issuer, audience, ttlSeconds = 900, realm = 'api', cacheSize = 50_000, now = Date.now } = options
  if (!issuer || !audience) throw new Error('access-tokens: issuer and audience are required')
  if (!Number.isSafeInteger(ttlSeconds) || ttlSeconds < 1) throw new Error('access-tokens: ttlSeconds must be ≥ 1')
  if (!/^[\w .:/-]+$/.test(realm)) throw new Error('access-tokens: realm may hold letters, digits and " _.:/-"')
  const { signing, byKid } = await bindKeys(app, keys, { issuer, audience, ttlSeconds })
  // `max` would reserve its whole space at the start.
  const verified = new LRUCache<string, Claims>({ maxSize: cacheSize, sizeCalculation: () => 1 })
  const isCurrent = ({ exp }: Claims) => exp * 1000 > now()
  const invalid = (cause?: unknown) => new AccessTokenInvalid(realm, { cause })
  const forged = (cause: unknown) => new AccessTokenInvalid(realm, { cause, isForged: true })

  /**
   * Everything but the expiry. A second spelling of the same signature is refused; a second ECDSA signature, which anybody
   * can compute from the first, cannot be: so whether a token is still good rests on `sid` and `jti`, never on its text.
   */
  function read(token: string): Claims {
    const { header, payload } = open(token)
    if ('crit' in header) throw invalid('crit')
    if (!isCanonical(token.slice(token.lastIndexOf('.') + 1))) throw invalid('signature encoding')
    const claims = readClaims(payload, { issuer, audience }, now() / 1000)
    if (typeof claims === 'string') throw invalid(`${claims} claim`)
    return claims
  }

  function open(token: string) {
    if (token.length > MAX_TOKEN_LENGTH) throw forged('longer than 4 KiB')
    if (!JWS.test(token)) throw invalid('malformed')
    try {
      const key = byKid.get(signing.readHeader(token).kid)
      if (key !== undefined) return key.verify(token)
    } catch (error) {
      throw isAfterSignature(error) ? invalid(error) : forged(error)
    }
    throw forged('unknown kid')
  }

  function verify(token: string): Claims {
    const known = verified.get(token)
    const claims = known ?? read(token)
    if (!isCurrent(claims)) {
      verified.delete(token)
      throw invalid('expired')
    }
    if (known === undefined) verified.set(token, claims)
    return claims
  }

  app.decorate('accessTokens', {
    realm,
    sign({ sub, sid }) {
      const token = signing.sign({ sub, sid, jti: randomUUID(), iat: Math.floor(now() / 1000) })
      return { token, expiresIn: ttlSeconds }
    },
    verify,
    recall(token) {
      const claims = verified.get(token)
      return claims !== undefined && isCurrent(claims) ? claims : undefined
    },
    isCurrent,
    verifyIgnoringExpiry: read,
    invalid
  })

  const jwks = { keys: publicJwks(keys) }
  app.get('/.well-known/jwks.json', { config: { auth: 'public' }, schema: jwksSchema }, (_request, reply) => {
    reply.header('cache-control', 'public, max-age=300').send(jwks)
  })
}

const isCanonical = (base64url: string) => Buffer.from(base64url, 'base64url').toString('base64url') === base64url

export const accessTokensPlugin = fp(accessTokens, { name: 'access-tokens', fastify: '5.x' })
export default accessTokensPlugin
export type { AccessTokenKey, Claims }
export { AccessTokenInvalid }
