import type { RouteOptions } from 'fastify'

const etag = { type: 'string', description: 'Strong entity tag of this state of the resource' }

const notModified = {
  type: 'null',
  description: 'Not modified since the state that `If-None-Match` names',
  headers: { ETag: etag }
}

const ifMatch = {
  type: 'string',
  description: 'ETag of the state that the change is meant for; another state is left alone (412)',
  examples: ['"3-mXqzJ3bQ"']
}

/** Adds headers and answers to the route's schema; what it says itself comes first. */
export function documentConditions(route: RouteOptions, hasErrorSchemas: boolean): void {
  const { config = {}, schema } = route
  const own = (schema?.response ?? {}) as Record<string, object>
  const response = Object.fromEntries(
    Object.entries(own).map(([status, answer]) => {
      const isTagged = config.etag !== undefined && (status === '200' || status === '201')
      return [status, isTagged ? { ...answer, headers: { ETag: etag, ...headersOf(answer) } } : answer]
    })
  )
  const isRead = route.method === 'GET' || route.method === 'HEAD'
  const added = {
    ...(isRead && { 304: notModified }),
    ...(hasErrorSchemas && config.ifMatch !== undefined && { 412: refusal('The resource has changed meanwhile') }),
    ...(hasErrorSchemas && config.ifMatch === 'required' && { 428: refusal('The header If-Match is missing') })
  }
  route.schema = {
    ...schema,
    ...(config.ifMatch !== undefined && { headers: withIfMatch(schema?.headers, config.ifMatch === 'required') }),
    ...(schema?.response !== undefined && { response: { ...added, ...response } })
  }
}

const headersOf = (answer: object): object => ('headers' in answer ? Object(answer.headers) : {})

function withIfMatch(schema: unknown, isRequired: boolean) {
  const { properties, required = [], ...rest } = Object(schema ?? { type: 'object' })
  const described = { ...rest, properties: { 'if-match': ifMatch, ...properties } }
  return isRequired ? { ...described, required: ['if-match', ...required] } : described
}

const refusal = (description: string) => ({
  description,
  content: {
    'application/json': { schema: { $ref: 'Error#' } },
    'application/problem+json': { schema: { $ref: 'Problem#' } }
  }
})
