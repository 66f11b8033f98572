import { createError } from '@fastify/error'

/** 401: the documentation asks for HTTP Basic credentials and none, or wrong ones, were sent. */
export const DocsUnauthorized = createError<[]>('DOCS_UNAUTHORIZED', 'Sign in to read the documentation', 401)
