import formbody from '@fastify/formbody'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { SignInRules } from '../../../../db/rights.ts'
import type { Fault } from '../../../../plugins/envelope/index.ts'
import { errorsAs } from '../../../../plugins/envelope/schema.ts'
import { InvalidTokenRequest, UnsupportedGrantType } from './errors.ts'
import { refresh } from './refresh.ts'
import { TokenError, TokenRequest, TokenResponse } from './schema.ts'
import { signIn } from './sign-in.ts'

/** `POST /auth/token`: the OAuth 2.0 token endpoint, bare as RFC 6749 wants it. */
const token: FastifyPluginAsyncTypebox<SignInRules> = async (app, { requireVerifiedEmail }) => {
  app.addSchema(TokenError)
  app.removeAllContentTypeParsers()
  await app.register(formbody, { bodyLimit: 16_384, parser: parseForm })

  app.post(
    '/token',
    {
      config: { auth: 'public', fault: oauthFault },
      bodyLimit: 16_384,
      schema: {
        operationId: 'createToken',
        tags: ['auth'],
        summary: 'OAuth 2.0 token',
        description:
          'The `password` and `refresh_token` grants of RFC 6749 for OAuth clients and the Authorize button; never sets cookies. Clients are public: client credentials are ignored. Every error has the body of §5.2; where that has no code for it, `temporarily_unavailable` (429, 503) and `server_error` (500) of §4.1.2.1. Only what is no valid HTTP is answered as everywhere, as it reaches no route.',
        consumes: ['application/x-www-form-urlencoded'],
        body: TokenRequest,
        response: { 200: TokenResponse, ...errorsAs(TokenError, 400, 413, 415, 429, 500, 503, 'default') }
      },
      onRequest: async (_request, reply) => {
        reply.header('cache-control', 'no-store').header('pragma', 'no-cache')
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

/**
 * RFC 6749 appendix B: UTF-8, percent-encoded. A parameter without a value counts as omitted (§3.2), a repeated one becomes
 * a list, which the schema refuses.
 */
function parseForm(text: string): Record<string, string | string[]> {
  const form: Record<string, string | string[]> = Object.create(null)
  for (const [name, value] of new URLSearchParams(text)) {
    if (value === '') continue
    const before = form[name]
    form[name] = before === undefined ? value : [...[before].flat(), value]
  }
  if (!isPlainText(text)) throw new InvalidTokenRequest('parameters in percent-encoded UTF-8')
  return form
}

/**
 * Neither malformed UTF-8, which would be read as something else, nor NUL, which no text column holds. Bytes that are not
 * percent-encoded have been read by now: U+FFFD stands for what could not be.
 */
function isPlainText(text: string): boolean {
  if (text.includes('\ufffd')) return false
  try {
    return !decodeURIComponent(text).includes('\0')
  } catch {
    return false
  }
}

/** The statuses that §5.2 has one for: 400. */
const REFUSED = [401, 403, 422]

function oauthFault(fault: Fault): Fault {
  const { status, message, errors } = fault
  const error_description = errors?.map((error) => `${error.field} ${error.message}`).join(', ') ?? message
  return {
    ...fault,
    status: REFUSED.includes(status) ? 400 : status,
    body: { error: oauthError(fault), error_description }
  }
}

/** RFC 6749 §5.2; it knows only faults of the client, so §4.1.2.1 helps out. */
function oauthError({ status, error_code }: Fault) {
  if (error_code === 'UNSUPPORTED_GRANT_TYPE') return 'unsupported_grant_type'
  if (status === 401 || status === 403) return 'invalid_grant'
  if (status === 409 || status === 429 || status === 503) return 'temporarily_unavailable'
  return status < 500 ? 'invalid_request' : 'server_error'
}

export default token
