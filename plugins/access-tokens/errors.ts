import { createError } from '@fastify/error'

const Invalid = createError('ACCESS_TOKEN_INVALID', 'The access token is invalid or has expired', 401)

/** 401 with the challenge of RFC 6750 §3.1. One error for every fault: what was wrong stays in `cause`, for the log. */
export class AccessTokenInvalid extends Invalid {
  readonly headers: Record<string, string>
  /** No key of ours signed it: a guess. `false` for what is no JWT, and for a token of ours that has expired or ended. */
  readonly isForged: boolean

  constructor(realm: string, { cause, isForged = false }: { cause?: unknown; isForged?: boolean } = {}) {
    super({ cause })
    this.headers = { 'WWW-Authenticate': `Bearer realm="${realm}", error="invalid_token"` }
    this.isForged = isForged
  }
}
