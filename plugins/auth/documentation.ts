import type { FastifyInstance, RouteOptions } from 'fastify'
import type { Access } from './access.ts'

/** Writes into a route's schema what the OpenAPI document has to say about access. */
export function accessDocumentation(app: FastifyInstance) {
  return function document(route: RouteOptions, { isRequired, permission, takesApiKey }: Access): void {
    const bearer = { bearerAuth: [] }
    const others = takesApiKey ? [{ apiKeyAuth: [] }] : []
    const security = isRequired ? [bearer, ...others] : [{}, bearer]
    const schema = { ...route.schema, security, ...(permission && { 'x-permission': permission }) }
    route.schema = schema
    if (!isRequired || !schema.response || !hasErrorSchemas(app)) return
    if (permission) shareDenied(app)
    const answers = { 401: unauthorized, ...(permission && { 403: denied }) }
    route.schema = { ...schema, response: { ...answers, ...schema.response } }
  }
}

const hasErrorSchemas = (app: FastifyInstance) =>
  app.getSchema('Error') !== undefined && app.getSchema('Problem') !== undefined

/** Both shapes of an error with one more member (RFC 9457 §3.2). */
function shareDenied(app: FastifyInstance): void {
  if (app.getSchema('PermissionDenied') !== undefined) return
  for (const [$id, base] of [
    ['PermissionDenied', 'Error#'],
    ['PermissionDeniedProblem', 'Problem#']
  ]) {
    app.addSchema({ $id, description: 'A permission is missing', allOf: [{ $ref: base }, missing] })
  }
}

const missing = {
  type: 'object',
  properties: {
    missing: { type: 'array', items: { type: 'string' }, description: 'Codes of the permissions the caller lacks' }
  }
}

const content = (error: string, problem: string) => ({
  'application/json': { schema: { $ref: error } },
  'application/problem+json': { schema: { $ref: problem } }
})

const unauthorized = {
  description: 'Credentials are missing or invalid',
  headers: { 'WWW-Authenticate': { type: 'string', description: 'How to authenticate (RFC 9110)' } },
  content: content('Error#', 'Problem#')
}

const denied = {
  description: 'A permission is missing',
  content: content('PermissionDenied#', 'PermissionDeniedProblem#')
}
