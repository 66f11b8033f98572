import { createError } from '@fastify/error'

/** What every error constant takes: the public message, and the cause for the log. */
export type ErrorArguments = [message: string, options?: { cause: unknown }]

/** 400: malformed syntax. */
export const BadRequest = createError<'BAD_REQUEST', 400, ErrorArguments>('BAD_REQUEST', '%s', 400)
/** 401: credentials are missing or invalid. */
export const Unauthorized = createError<'UNAUTHORIZED', 401, ErrorArguments>('UNAUTHORIZED', '%s', 401)
/** 403: the caller is known but may not do this. */
export const Forbidden = createError<'FORBIDDEN', 403, ErrorArguments>('FORBIDDEN', '%s', 403)
/** 404: absent, or invisible to the caller. */
export const NotFound = createError<'NOT_FOUND', 404, ErrorArguments>('NOT_FOUND', '%s', 404)
/** 409: a duplicate, or the state of the resource forbids it. */
export const Conflict = createError<'CONFLICT', 409, ErrorArguments>('CONFLICT', '%s', 409)
/** 422: well-formed, but its content cannot be accepted. */
export const Unprocessable = createError<'UNPROCESSABLE', 422, ErrorArguments>('UNPROCESSABLE', '%s', 422)
/** 429: a limit is used up; add `headers: { 'Retry-After': … }`. */
export const TooManyRequests = createError<'TOO_MANY_REQUESTS', 429, ErrorArguments>('TOO_MANY_REQUESTS', '%s', 429)
/** 503: a dependency is out, or the server is too busy; add `headers: { 'Retry-After': … }`. */
export const Unavailable = createError<'UNAVAILABLE', 503, ErrorArguments>('UNAVAILABLE', '%s', 503)

const ValidationFailed = createError<'VALIDATION_FAILED', 422, []>('VALIDATION_FAILED', 'Validation failed', 422)

/** 422 for one field, told as the schema's own refusals are: for rules that a schema cannot hold. */
export function invalid(field: string, message: string) {
  return Object.assign(new ValidationFailed(), { errors: [{ field, message }] })
}

export { createError }
