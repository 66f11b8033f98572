import type { FastifyInstance, FastifyRequest, HookHandlerDoneFunction } from 'fastify'
import type { AccessTokenInvalid, Claims } from '../access-tokens/index.ts'
import type { Access } from './access.ts'
import type { IdentifyByKey } from './api-key.ts'
import { bearerToken } from './bearer.ts'
import { ApiKeyInvalid, PermissionDenied, Unauthorized } from './errors.ts'
import type { Principal } from './index.ts'
import type { Principals } from './principals.ts'

export interface IdentifyOptions {
  app: FastifyInstance
  principals: Principals<Claims>
  byKey: IdentifyByKey | undefined
  onForged: ((request: FastifyRequest) => Promise<void>) | undefined
}

type Fault = AccessTokenInvalid | ApiKeyInvalid | undefined

/** The claims of this header, so that one request has its token read and looked up once. */
interface Recalled {
  authorization: string | undefined
  claims: Claims
}

const recalled = Symbol('auth.recalled')

declare module 'fastify' {
  interface FastifyRequest {
    [recalled]: Recalled | null
  }
}

/** Sets `request.principal`. For a remembered caller there is no promise and no I/O in it. */
export function createIdentify({ app, principals, byKey, onForged }: IdentifyOptions) {
  const { accessTokens } = app
  app.decorateRequest(recalled, null)

  function identify(request: FastifyRequest, access: Access, done: HookHandlerDoneFunction) {
    let claims = recallClaims(request)
    if (claims === undefined) {
      const token = bearerToken(request.raw)
      if (token === undefined) return tryKey(request, access, done, undefined)
      try {
        claims = accessTokens.verify(token)
      } catch (error) {
        return tryKey(request, access, done, error as AccessTokenInvalid) // verify() throws nothing else
      }
    }
    const known = principals.recall(claims)
    if (known !== undefined) return admit(request, known, access, done)
    principals.load(claims).then((principal) => {
      if (principal !== null) admit(request, principal, access, done)
      else tryKey(request, access, done, accessTokens.invalid('the session has ended'))
    }, done)
  }

  /** A key is not looked at: who sends none and no token is anonymous. */
  function recall(request: FastifyRequest, { isRequired, permission }: Access): Principal | null | undefined {
    const { raw } = request
    let claims = recallClaims(request)
    if (claims === undefined) {
      const token = bearerToken(raw)
      if (token === undefined) return isRequired || raw.headers['x-api-key'] !== undefined ? undefined : null
      claims = accessTokens.recall(token)
      if (claims === undefined) return undefined
      request[recalled] = { authorization: raw.headers.authorization, claims }
    }
    const known = principals.recall(claims)
    if (known === undefined || (permission !== undefined && !holds(known, permission))) return undefined
    return known
  }

  function recallClaims({ [recalled]: known, raw }: FastifyRequest): Claims | undefined {
    if (known === null || known.authorization !== raw.headers.authorization) return undefined
    return accessTokens.isCurrent(known.claims) ? known.claims : undefined
  }

  /** There is no good token: an API key counts where the route takes one. Never both together, whatever each may do. */
  function tryKey(request: FastifyRequest, access: Access, done: HookHandlerDoneFunction, fault: Fault) {
    if (byKey === undefined || !access.takesApiKey || request.headers['x-api-key'] === undefined) {
      return refuse(request, access, done, fault)
    }
    byKey(request, (error, principal) => {
      if (principal !== null) admit(request, principal, access, done)
      else if (error instanceof ApiKeyInvalid) refuse(request, access, done, error.isForged ? error : (fault ?? error))
      else done(error ?? undefined)
    })
  }

  /** Guesses are told of first: what that throws is the refusal then. */
  function refuse(request: FastifyRequest, { isRequired }: Access, done: HookHandlerDoneFunction, fault: Fault) {
    if (fault === undefined) return done(isRequired ? new Unauthorized(accessTokens.realm) : undefined)
    const answer = (reason: Error) => done(isRequired ? reason : undefined)
    if (onForged === undefined || !fault.isForged) return answer(fault)
    onForged(request).then(() => answer(fault), answer)
  }

  return { identify, recall }
}

function admit(request: FastifyRequest, principal: Principal, { permission }: Access, done: HookHandlerDoneFunction) {
  request.principal = principal
  done(permission === undefined || holds(principal, permission) ? undefined : new PermissionDenied([permission]))
}

export const holds = ({ is_admin, permissions }: Principal, permission: string) =>
  is_admin || permissions.includes(permission)
