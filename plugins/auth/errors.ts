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
