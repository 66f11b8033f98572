import type { RouteOptions } from 'fastify'

/**
 * The permission codes of the host, which augments it: `interface Permissions { 'read:user:all': true }`. From then on
 * any other code in `config.auth` is a type error.
 */
// biome-ignore lint/suspicious/noEmptyInterface: filled by declaration merging
export interface Permissions {}

/** One of the host's permission codes; any text while the host names none. */
export type Permission = keyof Permissions extends never ? string : keyof Permissions & string

/** Only callers who hold the permission, and administrators. */
export interface PermissionAuth {
  permission: Permission
  /** Whether an API key (`X-API-Key`) counts where there is no good access token. Default `false`. */
  apiKey?: boolean
}

/**
 * Who may call a route: anybody (credentials are not looked at), anybody (and who it is), the signed-in only, or those of
 * them who hold a permission.
 */
export type RouteAuth = 'public' | 'optional' | 'required' | PermissionAuth

/** What a route asks of its caller, worked out once, when it is registered. */
export interface Access {
  isRequired: boolean
  permission: Permission | undefined
  takesApiKey: boolean
}

/** @throws when the route asks for what does not exist */
export function readAccess(
  route: RouteOptions,
  auth: Exclude<RouteAuth, 'public'>,
  known: readonly string[],
  hasApiKeys: boolean
): Access {
  const isRequired = auth !== 'optional'
  if (auth === 'optional' || auth === 'required') return { isRequired, permission: undefined, takesApiKey: false }
  const permission = typeof auth === 'object' ? auth?.permission : undefined
  if (permission === undefined) throw new Error(`Route ${nameOf(route)} has an unknown config.auth: ${auth}`)
  if (!known.includes(permission)) {
    throw new Error(
      `Route ${nameOf(route)} asks for the unknown permission ${permission}: add it to options.permissions`
    )
  }
  const takesApiKey = typeof auth === 'object' && auth.apiKey === true
  if (takesApiKey && !hasApiKeys)
    throw new Error(`Route ${nameOf(route)} takes API keys: give the auth plugin loadApiKey`)
  return { isRequired, permission, takesApiKey }
}

export const nameOf = ({ method, url }: RouteOptions) => `${[method].flat().join('|')} ${url}`
