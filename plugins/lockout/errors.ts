import { createError } from '@fastify/error'

const TooManyFailures = createError<[number]>(
  'LOCKED_OUT',
  'Too many failed attempts. Try again in %d seconds',
  429,
  Error,
  false
)

/**
 * 429 with `Retry-After`: a client is locked out, or an account has to be waited for. It has no stack: during an attack
 * every request makes one.
 */
export class LockedOut extends TooManyFailures {
  readonly headers: Record<string, string>

  constructor(waitMs: number) {
    const seconds = Math.max(1, Math.ceil(waitMs / 1000))
    super(seconds)
    this.headers = { 'Retry-After': `${seconds}` }
  }
}
