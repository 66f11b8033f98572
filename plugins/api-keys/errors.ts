import { createError } from '@fastify/error'

/** 409: the user has as many keys as one may have. The argument is that number. */
export const TooManyApiKeys = createError<[number]>(
  'TOO_MANY_API_KEYS',
  'There are %s API keys already; delete one first',
  409
)

/** 422: scopes may be taken from a key, never added. */
export const ScopesNotNarrower = createError(
  'SCOPES_NOT_NARROWER',
  'The scopes of a key can only be narrowed; make another key for more',
  422
)
