import fastifyCookie from '@fastify/cookie'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { SignInRules } from '../../../../db/rights.ts'
import type { DefaultRoleOptions } from '../../../../db/roles.ts'
import type { DefaultTierOptions } from '../../../../db/tiers.ts'
import { envelope, errors, success } from '../../../../plugins/envelope/schema.ts'
import { type RefreshCookieOptions, refreshCookie } from './cookie.ts'
import logout from './logout.ts'
import passwordReset from './password-reset.ts'
import { refresh } from './refresh.ts'
import registration from './registration.ts'
import { Login, RefreshToken, SignedIn, Tokens } from './schema.ts'
import { signIn } from './sign-in.ts'
import token from './token.ts'
import verification from './verification.ts'

export interface AuthRouteOptions extends DefaultRoleOptions, DefaultTierOptions, SignInRules {
  refreshCookie: RefreshCookieOptions
}

const auth: FastifyPluginAsyncTypebox<AuthRouteOptions> = async (app, options) => {
  const { requireVerifiedEmail } = options
  const cookie = refreshCookie(options.refreshCookie)
  // Here and not for the whole service: cookies are read and written below /auth only.
  await app.register(fastifyCookie)
  await app.register(registration, { defaultRole: options.defaultRole, defaultTier: options.defaultTier })
  await app.register(verification)
  await app.register(passwordReset)
  await app.register(token, { requireVerifiedEmail })
  await app.register(logout, { cookie })

  app.post(
    '/login',
    {
      config: { auth: 'public' },
      bodyLimit: 16_384,
      schema: {
        operationId: 'login',
        tags: ['auth'],
        summary: 'Sign in',
        description:
          'Opens a session. The refresh token comes as an HttpOnly cookie, or in the body on request. Too many failures lock the client out (429).',
        body: Login,
        response: { 200: envelope(SignedIn), ...errors(401, 403, 429) }
      }
    },
    async (request, reply) => {
      const { identifier, password, delivery } = request.body
      const { user, refreshToken, tokens } = await signIn(app, request, { identifier, password, requireVerifiedEmail })
      reply.header('cache-control', 'no-store')
      if (delivery === 'body') return success('Signed in', { ...tokens, refresh_token: refreshToken, user })
      cookie.set(reply, refreshToken)
      return success('Signed in', { ...tokens, user })
    }
  )

  app.post(
    '/refresh',
    {
      config: { auth: 'public' },
      bodyLimit: 16_384,
      schema: {
        operationId: 'refreshTokens',
        tags: ['auth'],
        summary: 'Refresh',
        description:
          'Exchanges the refresh token (cookie or body) for its successor and a new access token. A repeated call within the grace period gets the same successor; later reuse ends the session.',
        body: RefreshToken,
        response: { 200: envelope(Tokens), ...errors(401, 403, 429) }
      }
    },
    async (request, reply) => {
      const fromBody = request.body?.refresh_token
      const { tokens, refreshToken } = await refresh(app, request, cookie.read(request, fromBody) ?? '')
      reply.header('cache-control', 'no-store')
      if (fromBody !== undefined) return success('Tokens refreshed', { ...tokens, refresh_token: refreshToken })
      cookie.set(reply, refreshToken)
      return success('Tokens refreshed', tokens)
    }
  )
}

export default auth
