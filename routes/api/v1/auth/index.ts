import fastifyCookie from '@fastify/cookie'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from '@sinclair/typebox'
import { insertUser, normalizeEmail, normalizeUsername } from '../../../../db/users.ts'
import { invalid } from '../../../../plugins/envelope/errors.ts'
import { envelope, errors, success } from '../../../../plugins/envelope/schema.ts'
import { User } from '../users/schema.ts'
import { type RefreshCookieOptions, refreshCookie } from './cookie.ts'
import { TwoRefreshTokens } from './errors.ts'
import { endSession } from './logout.ts'
import { refresh } from './refresh.ts'
import { Login, RefreshToken, Registration, SignedIn, Tokens } from './schema.ts'
import { signIn } from './sign-in.ts'
import token from './token.ts'

export interface AuthRouteOptions {
  refreshCookie: RefreshCookieOptions
}

const auth: FastifyPluginAsyncTypebox<AuthRouteOptions> = async (app, options) => {
  const cookie = refreshCookie(options.refreshCookie)
  // Here and not for the whole service: cookies are read and written below /auth only.
  await app.register(fastifyCookie)
  await app.register(token)

  app.post(
    '/register',
    {
      config: { auth: 'public' },
      bodyLimit: 16_384,
      schema: {
        operationId: 'register',
        tags: ['auth'],
        summary: 'Register',
        description: 'Creates an account. A taken e-mail address or username is answered with 409 and names the field.',
        body: Registration,
        response: { 201: envelope(User), ...errors(409) }
      }
    },
    async (request, reply) => {
      const { password, name = null } = request.body
      const email = normalizeEmail(request.body.email)
      const username = normalizeUsername(request.body.username)
      if (username === null) throw invalid('username', 'must have 3 to 30 of a–z, 0–9, "_", "." and "-"')
      const problem = app.passwords.problem(password, { email, username })
      if (problem) throw invalid('password', problem)

      const password_hash = await app.passwords.hash(password)
      const { status, body, location } = await request.transaction(async (trx) => {
        const { user_id, ...user } = await insertUser(trx, { email, username, name, password_hash }, 'user')
        const target = { target_type: 'user', target_id: user.id }
        await app.audit.record(trx, { action: 'user.created', actor_id: user.id, ...target, request })
        return { status: 201, body: success('User registered successfully', user), location: '/api/v1/users/me' }
      })
      return reply.code(status).header('location', location).send(body)
    }
  )

  app.post(
    '/login',
    {
      config: { auth: 'public' },
      bodyLimit: 16_384,
      schema: {
        operationId: 'login',
        tags: ['auth'],
        summary: 'Sign in',
        description: 'Opens a session. The refresh token comes as an HttpOnly cookie, or in the body on request.',
        body: Login,
        response: { 200: envelope(SignedIn), ...errors(401, 403) }
      }
    },
    async (request, reply) => {
      const { identifier, password, delivery } = request.body
      const { user, refreshToken, tokens } = await signIn(app, request, identifier, password)
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
        response: { 200: envelope(Tokens), ...errors(401, 403) }
      }
    },
    async (request, reply) => {
      const fromCookie = cookie.read(request)
      const fromBody = request.body?.refresh_token
      if (fromCookie !== undefined && fromBody !== undefined) throw new TwoRefreshTokens()
      const { tokens, refreshToken } = await refresh(app, request, fromCookie ?? fromBody ?? '')
      reply.header('cache-control', 'no-store')
      if (fromBody !== undefined) return success('Tokens refreshed', { ...tokens, refresh_token: refreshToken })
      cookie.set(reply, refreshToken)
      return success('Tokens refreshed', tokens)
    }
  )

  app.post(
    '/logout',
    {
      config: { auth: 'public' },
      bodyLimit: 16_384,
      schema: {
        operationId: 'logout',
        tags: ['auth'],
        summary: 'Sign out',
        description:
          'Ends the session named by the access token (an expired one too), the cookie or the body. Without any of them, or with an unknown one, there is nothing to end and the answer is the same.',
        body: RefreshToken,
        response: { 204: Type.Null({ description: 'Signed out' }), ...errors(403) }
      }
    },
    async (request, reply) => {
      await endSession(app, request, cookie.read(request) ?? request.body?.refresh_token)
      cookie.clear(reply)
      return reply.code(204).send(null)
    }
  )
}

export default auth
