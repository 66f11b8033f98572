import type { FastifyInstance, FastifyReply, FastifyRequest, HookHandlerDoneFunction, RouteOptions } from 'fastify'
import fp from 'fastify-plugin'
import type { Claims } from '../access-tokens/index.ts'
import type { KeyProof } from '../api-keys/index.ts'
import type {} from '../changes/index.ts'
import { type Access, nameOf, type Permission, type RouteAuth, readAccess } from './access.ts'
import { identifyByKey, proofOf } from './api-key.ts'
import { bearerToken } from './bearer.ts'
import { accessDocumentation } from './documentation.ts'
import { ApiKeyInvalid, PermissionDenied, Unauthorized } from './errors.ts'
import { createIdentify, holds } from './identify.ts'
import { type Credential, createPrincipals, type Loaded } from './principals.ts'

/** Who is calling. The host adds what else its `load` knows by augmenting this interface. */
export interface Principal {
  /** Public id of the user. */
  id: string
  /** `null` when an API key is the credential. */
  session_id: string | null
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
  /**
   * Looks up the owner of a well-formed API key, like `load`; `null` refuses it. Their permissions are those that the key may
   * use, and `is_admin` is false. Needs `app.apiKeys`; without it no route may ask for `apiKey`.
   */
  loadApiKey?(proof: KeyProof): Promise<Loaded | null>
  /** Kinds of the change feed that tags may name, e.g. `['session', 'user']`. */
  kinds: string[]
  /** Every permission code that exists; a route that asks for another one stops the start. Default none. */
  permissions?: readonly Permission[]
  /**
   * Hears of a token that was forged, or an API key that does not exist, before the request is refused or goes on as anonymous;
   * what it throws is the refusal. Not of one that has expired or ended, nor when the other credential lets the request in.
   */
  onForged?(request: FastifyRequest): Promise<void>
  /** Principals that are remembered. Default 50 000. */
  cacheSize?: number
  /** How long one is remembered at most, in milliseconds. Default 300 000. */
  maxAgeMs?: number
  /** Milliseconds since 1970. Default `Date.now`. */
  now?: () => number
}

const routeAccess = Symbol('auth.access')

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Required on every route. */
    auth?: RouteAuth
    [routeAccess]?: Access
  }
  interface FastifyRequest {
    /** Who is calling, `null` when anonymous. Always `null` on public routes. Frozen. */
    principal: Principal | null
    /** Who is calling. @throws Unauthorized when anonymous */
    readonly caller: Principal
    /**
     * Who the request would be let in as now, where that takes no look-up: `null` for anonymous, `undefined` while it cannot be
     * told or when it would be refused. For hooks that run before the guard, which makes sure of it and alone lets anybody in.
     */
    recallPrincipal(): Principal | null | undefined
    /** Whether the caller is an administrator or holds the permission; `false` when anonymous. */
    can(permission: Permission): boolean
  }
}

async function auth(app: FastifyInstance, options: AuthOptions): Promise<void> {
  const { load, loadApiKey, onForged, kinds, permissions = [] } = options
  const { cacheSize = 50_000, maxAgeMs = 300_000, now = Date.now } = options
  const { accessTokens, changes } = app
  if (loadApiKey && !app.hasDecorator('apiKeys'))
    throw new Error('auth: loadApiKey needs the api-keys plugin before it')
  const principals = remember(load)
  const ownersOfKeys = loadApiKey && remember((key: Credential) => loadApiKey(proofOf(key)))
  const byKey = ownersOfKeys && identifyByKey(app, ownersOfKeys)
  const { identify, recall: recallFor } = createIdentify({ app, principals, byKey, onForged })

  function remember<C extends Credential>(loadOne: (credential: C) => Promise<Loaded | null>) {
    const memory = createPrincipals({ load: loadOne, isFresh: () => changes.isFresh(), cacheSize, maxAgeMs, now })
    for (const kind of kinds) changes.on(kind, (key) => memory.drop(`${kind}:${key}`))
    changes.onGap(memory.clear)
    return memory
  }

  app.decorateRequest('principal', null)
  app.decorateRequest('caller', {
    getter(this: FastifyRequest) {
      if (this.principal !== null) return this.principal
      throw bearerToken(this.raw) === undefined ? new Unauthorized(accessTokens.realm) : accessTokens.invalid()
    }
  })

  app.decorateRequest('recallPrincipal', function (this: FastifyRequest) {
    const access = this.routeOptions.config[routeAccess]
    return access === undefined ? null : recallFor(this, access)
  })

  app.decorateRequest('can', function (this: FastifyRequest, permission) {
    return this.principal !== null && holds(this.principal, permission)
  })

  const document = accessDocumentation(app)
  const undeclared: RouteOptions[] = []
  app.addHook('onRoute', (route) => {
    const declared = route.config?.auth
    if (declared === undefined) undeclared.push(route)
    else if (declared !== 'public') {
      const access = readAccess(route, declared, permissions, byKey !== undefined)
      const guard = (request: FastifyRequest, _reply: FastifyReply, done: HookHandlerDoneFunction) =>
        identify(request, access, done)
      // Who sends the body slowly may by its end have lost what they had at the headers.
      const guardAgain = (request: FastifyRequest, _reply: FastifyReply, done: HookHandlerDoneFunction) => {
        if (request.principal === null || recallFor(request, access) === request.principal) return done()
        request.principal = null
        identify(request, access, done)
      }
      route.config = { ...route.config, [routeAccess]: access }
      route.onRequest = [guard, ...[route.onRequest ?? []].flat()]
      if (!isRead(route)) route.preValidation = [guardAgain, ...[route.preValidation ?? []].flat()]
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

const isRead = ({ method }: RouteOptions) => [method].flat().every((name) => name === 'GET' || name === 'HEAD')

export const authPlugin = fp(auth, {
  name: 'auth',
  fastify: '5.x',
  decorators: { fastify: ['accessTokens', 'changes'] }
})
export default authPlugin
export type { Permission, PermissionAuth, Permissions, RouteAuth } from './access.ts'
export type { Loaded }
export { ApiKeyInvalid, PermissionDenied, Unauthorized }
