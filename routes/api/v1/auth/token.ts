import formbody from '@fastify/formbody'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyError } from 'fastify'
import type { SignInRules } from '../../../../db/rights.ts'
import { errors } from '../../../../plugins/envelope/schema.ts'
import { InvalidTokenRequest, UnsupportedGrantType } from './errors.ts'
import { refresh } from './refresh.ts'
import { TokenError, TokenRequest, TokenResponse } from './schema.ts'
import { signIn } from './sign-in.ts'

/** `POST /auth/token`: the OAuth 2.0 token endpoint, bare as RFC 6749 wants it. */
const token: FastifyPluginAsyncTypebox<SignInRules> = async (app, { requireVerifiedEmail }) => {
  app.removeAllContentTypeParsers()
  await app.register(formbody, { bodyLimit: 16_384, parser: parseForm })

  app.post(
    '/token',
    {
      config: { auth: 'public' },
      bodyLimit: 16_384,
      schema: {
        operationId: 'createToken',
        tags: ['auth'],
        summary: 'OAuth 2.0 token',
        description:
          'The `password` and `refresh_token` grants of RFC 6749 for OAuth clients and the Authorize button; never sets cookies. Clients are public: client credentials are ignored. A client that is locked out gets a 429 as everywhere else: RFC 6749 has no error code for it.',
        consumes: ['application/x-www-form-urlencoded'],
        body: TokenRequest,
        response: { 200: TokenResponse, 400: TokenError, ...errors(429) }
      },
      onRequest: async (_request, reply) => {
        reply.header('cache-control', 'no-store').header('pragma', 'no-cache')
      },
      errorHandler: (error: FastifyError, _request, reply) => {
        const code = oauthError(error)
        if (code === undefined) throw error
        reply
          .code(400)
          .send({ error: code, error_description: error.validation ? 'The request is malformed' : error.message })
      }
    },
    async (request) => {
      const { grant_type, username, password, refresh_token } = request.body
      if (grant_type === 'password') {
        if (username === undefined || password === undefined) throw new InvalidTokenRequest('username and password')
        const { tokens, refreshToken } = await signIn(app, request, {
          identifier: username,
          password,
          requireVerifiedEmail
        })
        return { ...tokens, refresh_token: refreshToken }
      }
      if (grant_type === 'refresh_token') {
        if (refresh_token === undefined) throw new InvalidTokenRequest('refresh_token')
        const { tokens, refreshToken } = await refresh(app, request, refresh_token)
        return { ...tokens, refresh_token: refreshToken }
      }
      throw new UnsupportedGrantType()
    }
  )
}

/** RFC 6749 appendix B: UTF-8, percent-encoded. A repeated parameter becomes a list, which the schema refuses. */
function parseForm(text: string): Record<string, string | string[]> {
  const form: Record<string, string | string[]> = Object.create(null)
  for (const [name, value] of new URLSearchParams(text)) {
    const before = form[name]
    form[name] = before === undefined ? value : [...[before].flat(), value]
  }
  if (!isPlainText(text)) throw new InvalidTokenRequest('parameters in percent-encoded UTF-8')
  return form
}

/** Neither malformed UTF-8, which would be read as something else, nor NUL, which no text column holds. */
function isPlainText(text: string): boolean {
  try {
    return !decodeURIComponent(text).includes('\0')
  } catch {
    return false
  }
}

/** Told to who knows the password. */
const REFUSED = new Set(['ACCOUNT_INACTIVE', 'EMAIL_NOT_VERIFIED'])

/** The error code of RFC 6749 §5.2 for what went wrong, if it is the client's fault. */
function oauthError(error: FastifyError) {
  if (error.code === 'UNSUPPORTED_GRANT_TYPE') return 'unsupported_grant_type'
  if (error.statusCode === 401 || REFUSED.has(error.code)) return 'invalid_grant'
  if (error.validation || error.statusCode === 400) return 'invalid_request'
  return undefined
}

export default token
