import type { RouteOptions } from 'fastify'
import { type ErrorStatus, errors } from './schema.ts'

/**
 * Adds the answers that the framework itself gives to the route's documented ones. Routes that describe no answers,
 * hide from the document or tell errors in a shape of their own stay as they are; what a route says itself comes first.
 */
export function documentErrors(route: RouteOptions): void {
  const { schema, config } = route
  // `hide` belongs to @fastify/swagger, which need not be there.
  if (schema?.response === undefined || ('hide' in schema && schema.hide === true) || config?.fault) return
  const statuses: ErrorStatus[] = [400, 500, 503, 'default']
  if (schema.body !== undefined) statuses.push(413, 415, 422)
  else if (schema.params ?? schema.querystring ?? schema.headers) statuses.push(422)
  // A new object: the HEAD route beside a GET shares the schema, and so may other routes.
  route.schema = { ...schema, response: { ...errors(...statuses), ...schema.response } }
}
