import { randomUUID } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { LRUCache } from 'lru-cache'
import type {} from '../auth/index.ts'
import { type Claims, readClaims } from './claims.ts'
import { AccessTokenInvalid } from './errors.ts'
import { type AccessTokenKey, bindKeys } from './keys.ts'

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
  /** Verified tokens that are remembered. Default 50 000 (about 0.7 KB each). */
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

/** Longer ones are refused unread. */
const MAX_TOKEN_LENGTH = 4096

async function accessTokens(app: FastifyInstance, options: AccessTokensOptions): Promise<void> {
  const { keys, issuer, audience, ttlSeconds = 900, realm = 'api', cacheSize = 50_000, now = Date.now } = options
  if (!issuer || !audience) throw new Error('access-tokens: issuer and audience are required')
  if (!Number.isSafeInteger(ttlSeconds) || ttlSeconds < 1) throw new Error('access-tokens: ttlSeconds must be ≥ 1')
  if (!/^[\w .:/-]+$/.test(realm)) throw new Error('access-tokens: realm may hold letters, digits and " _.:/-"')
  const { signing, byKid } = await bindKeys(app, keys, { issuer, audience, ttlSeconds })
  const verified = new LRUCache<string, Claims>({ max: cacheSize })
  const invalid = (cause?: unknown) => new AccessTokenInvalid(realm, cause)

  /** Everything but the expiry. The token's text has one form only: no second spelling of a signature is accepted. */
  function read(token: string): Claims {
    if (token.length > MAX_TOKEN_LENGTH) throw invalid('longer than 4 KiB')
    try {
      const key = byKid.get(signing.readHeader(token).kid)
      if (key === undefined) throw invalid('unknown kid')
      const { header, payload } = key.verify(token)
      if ('crit' in header) throw invalid('crit')
      if (!isCanonical(token.slice(token.lastIndexOf('.') + 1))) throw invalid('signature encoding')
      const claims = readClaims(payload, { issuer, audience }, now() / 1000)
      if (typeof claims === 'string') throw invalid(`${claims} claim`)
      return claims
    } catch (error) {
      throw error instanceof AccessTokenInvalid ? error : invalid(error)
    }
  }

  function verify(token: string): Claims {
    const known = verified.get(token)
    const claims = known ?? read(token)
    if (claims.exp * 1000 <= now()) {
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
    verifyIgnoringExpiry: read,
    invalid
  })

  app.get('/.well-known/jwks.json', { config: { auth: 'public' }, schema: jwksSchema }, (_request, reply) => {
    // Symmetric keys have no public half.
    reply.header('cache-control', 'public, max-age=300').send({ keys: [] })
  })
}

const isCanonical = (base64url: string) => Buffer.from(base64url, 'base64url').toString('base64url') === base64url

const jwksSchema = {
  operationId: 'getJwks',
  tags: ['auth'],
  summary: 'Public keys',
  description: 'The public keys that verify access tokens (RFC 7517 §5). Empty while tokens are signed symmetrically.',
  response: {
    200: {
      type: 'object',
      description: 'JSON Web Key Set',
      required: ['keys'],
      properties: { keys: { type: 'array', maxItems: 100, items: { type: 'object', additionalProperties: true } } }
    }
  }
}

export const accessTokensPlugin = fp(accessTokens, { name: 'access-tokens', fastify: '5.x' })
export default accessTokensPlugin
export type { AccessTokenKey, Claims }
export { AccessTokenInvalid }
