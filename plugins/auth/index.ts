import type { FastifyInstance, FastifyReply, FastifyRequest, HookHandlerDoneFunction, RouteOptions } from 'fastify'
import fp from 'fastify-plugin'
import type { AccessTokenInvalid, Claims } from '../access-tokens/index.ts'
import type {} from '../changes/index.ts'
import { type Access, nameOf, type Permission, type RouteAuth, readAccess } from './access.ts'
import { bearerToken } from './bearer.ts'
import { accessDocumentation } from './documentation.ts'
import { PermissionDenied, Unauthorized } from './errors.ts'
import { createPrincipals, type Loaded } from './principals.ts'

/** Who is calling. The host adds what else its `load` knows by augmenting this interface. */
export interface Principal {
  /** Public id of the user. */
  id: string
  session_id: string
  /** Codes of the permissions they hold. */
  permissions: readonly string[]
  /** Passes every check of a permission. */
  is_admin: boolean
}

export interface AuthOptions {
  /**
   * Looks up the bearer of a verified token: one query. `null` refuses the token (session ended, user inactive).
   * Its answer is remembered until one of its tags changes.
   */
  load(claims: Claims): Promise<Loaded | null>
  /** Kinds of the change feed that tags may name, e.g. `['session', 'user']`. */
  kinds: string[]
  /** Every permission code that exists; a route that asks for another one stops the start. Default none. */
  permissions?: readonly Permission[]
  /**
   * Hears of a token that was forged, before the request is refused or goes on as anonymous; what it throws is the refusal.
   * Not of one that is expired or whose session has ended.
   */
  onForged?(request: FastifyRequest): Promise<void>
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
    /** Whether the caller is an administrator or holds the permission; `false` when anonymous. */
    can(permission: Permission): boolean
  }
}

async function auth(app: FastifyInstance, options: AuthOptions): Promise<void> {
  const { load, kinds, permissions = [], onForged, cacheSize = 50_000, maxAgeMs = 300_000, now = Date.now } = options
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

  app.decorateRequest('can', function (this: FastifyRequest, permission) {
    return this.principal !== null && holds(this.principal, permission)
  })

  /** Sets `request.principal`. For a remembered caller there is no promise and no I/O in it. */
  function identify(request: FastifyRequest, access: Access, done: HookHandlerDoneFunction) {
    const { isRequired } = access
    const token = bearerToken(request.raw)
    if (token === undefined) return done(isRequired ? new Unauthorized(accessTokens.realm) : undefined)
    let claims: Claims
    try {
      claims = accessTokens.verify(token)
    } catch (error) {
      const invalid = error as AccessTokenInvalid // verify() throws nothing else
      const refuse = (reason: Error) => done(isRequired ? reason : undefined)
      if (onForged === undefined || !invalid.isForged) return refuse(invalid)
      onForged(request).then(() => refuse(invalid), refuse)
      return
    }
    const known = principals.recall(claims)
    if (known !== undefined) return admit(request, known, access, done)
    principals.load(claims).then((principal) => {
      if (principal !== null) admit(request, principal, access, done)
      else done(isRequired ? accessTokens.invalid('the session has ended') : undefined)
    }, done)
  }

  const document = accessDocumentation(app)
  const undeclared: RouteOptions[] = []
  app.addHook('onRoute', (route) => {
    const declared = route.config?.auth
    if (declared === undefined) undeclared.push(route)
    else if (declared !== 'public') {
      const access = readAccess(route, declared, permissions)
      const guard = (request: FastifyRequest, _reply: FastifyReply, done: HookHandlerDoneFunction) =>
        identify(request, access, done)
      route.onRequest = [guard, ...[route.onRequest ?? []].flat()]
      document(route, access)
    }
  })

  // A scope that mounts foreign routes makes them public in its own onRoute hook, which runs after the one above.
  app.addHook('onReady', async () => {
    const open = undeclared.filter((route) => route.config?.auth !== 'public')
    if (open.length === 0) return
    const names = open.map(nameOf).join(', ')
    throw new Error(
      `Route ${names} declares no config.auth: add config: { auth: 'public' | 'optional' | 'required' | { permission } }`
    )
  })
}

const holds = ({ is_admin, permissions }: Principal, permission: string) => is_admin || permissions.includes(permission)

function admit(request: FastifyRequest, principal: Principal, { permission }: Access, done: HookHandlerDoneFunction) {
  request.principal = principal
  done(permission === undefined || holds(principal, permission) ? undefined : new PermissionDenied([permission]))
}

export const authPlugin = fp(auth, {
  name: 'auth',
  fastify: '5.x',
  decorators: { fastify: ['accessTokens', 'changes'] }
})
export default authPlugin
export type { Permission, PermissionAuth, Permissions, RouteAuth } from './access.ts'
export type { Loaded }
export { PermissionDenied, Unauthorized }
