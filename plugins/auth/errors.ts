import { createError } from '@fastify/error'

const Anonymous = createError('UNAUTHORIZED', 'Authentication required', 401)
const Denied = createError('PERMISSION_DENIED', 'This needs a permission that you do not have', 403)

/** 401 for a request without credentials: the challenge names no error then (RFC 6750 §3.1). */
export class Unauthorized extends Anonymous {
  readonly headers: Record<string, string>

  constructor(realm: string) {
    super()
    this.headers = { 'WWW-Authenticate': `Bearer realm="${realm}"` }
  }
}

const KeyInvalid = createError('API_KEY_INVALID', 'The API key is invalid, has expired or was revoked', 401)

/** 401 for an API key that is no good; which way is not told. */
export class ApiKeyInvalid extends KeyInvalid {
  readonly headers: Record<string, string>
  /** There is no such key: a guess. `false` for what is no key, and for one that has expired or was revoked. */
  readonly isForged: boolean

  constructor(realm: string, isForged = false) {
    super()
    this.headers = { 'WWW-Authenticate': `Bearer realm="${realm}"` }
    this.isForged = isForged
  }
}

/** 403 that lists the permissions the caller lacks, as `missing`. */
export class PermissionDenied extends Denied {
  readonly details: { missing: readonly string[] }

  constructor(missing: readonly string[]) {
    super()
    this.details = { missing }
  }
}

/** @throws PermissionDenied when something is missing */
export function denyMissing(missing: readonly string[]): void {
  if (missing.length > 0) throw new PermissionDenied(missing)
}
