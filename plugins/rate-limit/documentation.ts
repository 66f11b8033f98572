import type { FastifyInstance, RouteOptions } from 'fastify'

const header = (description: string) => ({ type: 'string', description })

const tooManyRequests = {
  description: 'A quota is used up; see `Retry-After`',
  headers: {
    'Retry-After': header('Seconds after which the call passes'),
    RateLimit: header('What is left of the quotas that are used up (draft-ietf-httpapi-ratelimit-headers-11)'),
    'RateLimit-Policy': header('Those quotas and their windows')
  },
  content: {
    'application/json': { schema: { $ref: 'Error#' } },
    'application/problem+json': { schema: { $ref: 'Problem#' } }
  }
}

/** The route's schema with its 429, where it describes answers and the schemas of errors are shared. */
export function documented(app: FastifyInstance, { schema }: RouteOptions) {
  const hasErrorSchemas = app.getSchema('Error') !== undefined && app.getSchema('Problem') !== undefined
  if (schema?.response === undefined || !hasErrorSchemas) return schema
  return { ...schema, response: { ...schema.response, 429: withHeaders(schema.response) } }
}

/** A 429 that the route describes itself, e.g. that of a lockout, may be one of ours as well. */
function withHeaders(response: unknown) {
  const { 429: own = tooManyRequests } = response as { 429?: { headers?: object } }
  return { ...own, headers: { ...tooManyRequests.headers, ...own.headers } }
}
