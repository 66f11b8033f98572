import { createError } from '@fastify/error'

const Anonymous = createError('UNAUTHORIZED', 'Authentication required', 401)

/** 401 for a request without credentials: the challenge names no error then (RFC 6750 §3.1). */
export class Unauthorized extends Anonymous {
  readonly headers: Record<string, string>

  constructor(realm: string) {
    super()
    this.headers = { 'WWW-Authenticate': `Bearer realm="${realm}"` }
  }
}
