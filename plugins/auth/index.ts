import type { FastifyInstance, FastifyReply, FastifyRequest, HookHandlerDoneFunction, RouteOptions } from 'fastify'
import fp from 'fastify-plugin'
import type { Claims } from '../access-tokens/index.ts'
import type {} from '../changes/index.ts'
import { bearerToken } from './bearer.ts'
import { Unauthorized } from './errors.ts'
import { createPrincipals, type Loaded } from './principals.ts'

/** Who may call a route: anybody (credentials are not looked at), anybody (and who it is), or the signed-in only. */
export type RouteAuth = 'public' | 'optional' | 'required'

/** Who is calling. The host adds what else its `load` knows by augmenting this interface. */
export interface Principal {
  /** Public id of the user. */
  id: string
  session_id: string
}

export interface AuthOptions {
  /**
   * Looks up the bearer of a verified token: one query. `null` refuses the token (session ended, user inactive).
   * Its answer is remembered until one of its tags changes.
   */
  load(claims: Claims): Promise<Loaded | null>
  /** Kinds of the change feed that tags may name, e.g. `['session', 'user']`. */
  kinds: string[]
  /** Principals that are remembered. Default 50 000. */
  cacheSize?: number
  /** How long one is remembered at most, in milliseconds. Default 300 000. */
  maxAgeMs?: number
  /** Milliseconds since 1970. Default `Date.now`. */
  now?: () => number
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Required on every route. */
    auth?: RouteAuth
  }
  interface FastifyRequest {
    /** Who is calling, `null` when anonymous. Always `null` on public routes. Frozen. */
    principal: Principal | null
    /** Who is calling. @throws Unauthorized when anonymous */
    readonly caller: Principal
  }
}

async function auth(app: FastifyInstance, options: AuthOptions): Promise<void> {
  const { load, kinds, cacheSize = 50_000, maxAgeMs = 300_000, now = Date.now } = options
  const { accessTokens, changes } = app
  const principals = createPrincipals({ load, isFresh: () => changes.isFresh(), cacheSize, maxAgeMs, now })
  for (const kind of kinds) changes.on(kind, (key) => principals.drop(`${kind}:${key}`))
  changes.onGap(principals.clear)

  app.decorateRequest('principal', null)
  app.decorateRequest('caller', {
    getter(this: FastifyRequest) {
      if (this.principal !== null) return this.principal
      throw bearerToken(this.raw) === undefined ? new Unauthorized(accessTokens.realm) : accessTokens.invalid()
    }
  })

  /** Sets `request.principal`. For a remembered caller there is no promise and no I/O in it. */
  function identify(request: FastifyRequest, isRequired: boolean, done: HookHandlerDoneFunction) {
    const token = bearerToken(request.raw)
    if (token === undefined) return done(isRequired ? new Unauthorized(accessTokens.realm) : undefined)
    let claims: Claims
    try {
      claims = accessTokens.verify(token)
    } catch (error) {
      return done(isRequired ? (error as Error) : undefined) // verify() throws nothing else
    }
    const known = principals.recall(claims)
    if (known !== undefined) {
      request.principal = known
      return done()
    }
    principals.load(claims).then((principal) => {
      request.principal = principal
      done(isRequired && principal === null ? accessTokens.invalid('the session has ended') : undefined)
    }, done)
  }

  const hooks = {
    required: (request: FastifyRequest, _reply: FastifyReply, done: HookHandlerDoneFunction) =>
      identify(request, true, done),
    optional: (request: FastifyRequest, _reply: FastifyReply, done: HookHandlerDoneFunction) =>
      identify(request, false, done)
  }

  const hasErrorSchemas = () => app.getSchema('Error') !== undefined && app.getSchema('Problem') !== undefined
  const undeclared: RouteOptions[] = []
  app.addHook('onRoute', (route) => {
    const access = route.config?.auth
    if (access === undefined) undeclared.push(route)
    else if (access !== 'public') {
      if (!Object.hasOwn(hooks, access)) throw new Error(`Route ${nameOf(route)} has an unknown config.auth: ${access}`)
      route.onRequest = [hooks[access], ...[route.onRequest ?? []].flat()]
      route.schema = documented(route, access, hasErrorSchemas())
    }
  })

  // A scope that mounts foreign routes makes them public in its own onRoute hook, which runs after the one above.
  app.addHook('onReady', async () => {
    const open = undeclared.filter((route) => route.config?.auth !== 'public')
    if (open.length === 0) return
    const names = open.map(nameOf).join(', ')
    throw new Error(`Route ${names} declares no config.auth: add config: { auth: 'public' | 'optional' | 'required' }`)
  })
}

const nameOf = ({ method, url }: RouteOptions) => `${[method].flat().join('|')} ${url}`

/** The route's schema with what the OpenAPI document has to say about access. */
function documented(route: RouteOptions, access: 'optional' | 'required', hasErrorSchemas: boolean) {
  const bearer = { bearerAuth: [] }
  const schema = { ...route.schema, security: access === 'optional' ? [{}, bearer] : [bearer] }
  if (access === 'optional' || !hasErrorSchemas || !schema.response) return schema
  return { ...schema, response: { 401: unauthorizedResponse, ...schema.response } }
}

const unauthorizedResponse = {
  description: 'Credentials are missing or invalid',
  headers: { 'WWW-Authenticate': { type: 'string', description: 'How to authenticate (RFC 9110)' } },
  content: {
    'application/json': { schema: { $ref: 'Error#' } },
    'application/problem+json': { schema: { $ref: 'Problem#' } }
  }
}

export const authPlugin = fp(auth, {
  name: 'auth',
  fastify: '5.x',
  decorators: { fastify: ['accessTokens', 'changes'] }
})
export default authPlugin
export type { Loaded }
export { Unauthorized }
