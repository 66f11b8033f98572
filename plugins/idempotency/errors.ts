import { createError } from '@fastify/error'

/** 400: the route asks for the header, and it is missing. */
export const IdempotencyKeyRequired = createError(
  'IDEMPOTENCY_KEY_REQUIRED',
  'The header Idempotency-Key is required here',
  400
)

/** 400: no string of structured fields, nor a bare token, of 1 to 255 characters; or the header came twice. */
export const IdempotencyKeyMalformed = createError(
  'IDEMPOTENCY_KEY_MALFORMED',
  'The header Idempotency-Key must be one string of 1 to 255 characters, such as a UUID in double quotes',
  400
)

/** 401: keys belong to callers, and this request has none. */
export const IdempotencyKeyAnonymous = createError(
  'IDEMPOTENCY_KEY_ANONYMOUS',
  'The header Idempotency-Key is for signed-in callers only',
  401
)

/** 422: the key was used for another request. */
export const IdempotencyKeyReused = createError(
  'IDEMPOTENCY_KEY_REUSED',
  'This Idempotency-Key was used with another request; a new request needs a new key',
  422
)

const InUse = createError(
  'IDEMPOTENCY_KEY_IN_USE',
  'The first request with this Idempotency-Key is still being processed',
  409
)

/** 409: the first request with the key has not ended yet. */
export class IdempotencyKeyInUse extends InUse {
  readonly headers = { 'Retry-After': '1' }
}
