import { STATUS_CODES } from 'node:http'
import { unwrapRoot } from './schemas.ts'

/** An OpenAPI 3.1 document, typed as far as this plugin looks into it. */
export interface OpenApiDocument {
  openapi: string
  info: { title: string; version: string }
  paths: Record<string, Record<string, Operation>>
  components: Record<string, Record<string, unknown>>
  [field: string]: unknown
}

export interface Operation {
  operationId?: string
  tags?: string[]
  summary?: string
  description?: string
  /** Alternatives; empty on a public operation. */
  security: Array<Record<string, string[]>>
  /** By status; those that several operations have in common are references. */
  responses: Record<string, { description?: string; $ref?: string; [field: string]: unknown }>
  parameters?: Parameter[]
  requestBody?: { required?: boolean; content?: Record<string, { schema?: { $ref?: string; type?: unknown } }> }
  [field: string]: unknown
}

interface Parameter {
  name?: string
  in?: string
  required?: boolean
  schema?: object
  $ref?: string
}

/** What every answer 304 answers to (RFC 9110 §13.1.2). */
const IF_NONE_MATCH = {
  name: 'if-none-match',
  in: 'header',
  required: false,
  description: 'ETag of the state at hand; if it still is the current one, the answer is 304',
  schema: { type: 'string' }
}

const DOCUMENT = ['openapi', 'info', 'servers', 'tags', 'paths', 'components']
const METHODS = ['get', 'post', 'put', 'patch', 'delete', 'options', 'head', 'trace']
const OPERATION = [
  'operationId',
  'tags',
  'summary',
  'description',
  'security',
  'parameters',
  'requestBody',
  'responses'
]

/**
 * Makes the document out of what @fastify/swagger rendered. The same routes give the same bytes in whatever order they
 * were loaded: paths and components are sorted, fields stand in one order, schemas keep their author's.
 * @param alternatives scheme to offer beside a security requirement that is just the named one
 */
export function finishDocument(rendered: unknown, alternatives: Record<string, string>): OpenApiDocument {
  // Plain data: no undefined fields, and no object in two places, for which YAML would write an alias.
  const document: OpenApiDocument = JSON.parse(JSON.stringify(rendered), (_key, value) => unwrapRoot(value))
  for (const operation of operationsOf(document)) {
    operation.security = (operation.security ?? []).flatMap((requirement) => {
      const alternative = alternatives[Object.keys(requirement).join()]
      return alternative === undefined ? [requirement] : [{ [alternative]: [] }, requirement]
    })
    for (const [status, response] of Object.entries(operation.responses)) describe(status, response)
    describeParameters(operation, document)
    if (operation.requestBody && mayBeNothing(operation.requestBody, document)) operation.requestBody.required = false
  }
  shareResponses(document)
  return inOrder(document)
}

/** A route takes no body at all where its schema admits `null`: that is how Fastify presents one to the validator. */
function mayBeNothing({ content = {} }: NonNullable<Operation['requestBody']>, document: OpenApiDocument): boolean {
  return Object.values(content).some(({ schema }) => {
    const name = schema?.$ref?.split('/').at(-1)
    // A component is whatever a route's author wrote; only its `type` is looked at.
    const target = name === undefined ? schema : (document.components.schemas?.[name] as typeof schema)
    return Array.isArray(target?.type) && target.type.includes('null')
  })
}

/** Nobody has to send what has a default, though it is there for the handler. */
function describeParameters(operation: Operation, { components }: OpenApiDocument): void {
  const { parameters = [], responses } = operation
  for (const parameter of parameters) {
    if (parameter.in === 'query' && parameter.schema && 'default' in parameter.schema) parameter.required = false
  }
  if (!('304' in responses) || parameters.some(({ name }) => name?.toLowerCase() === IF_NONE_MATCH.name)) return
  components.parameters = { ...components.parameters, IfNoneMatch: IF_NONE_MATCH }
  operation.parameters = [...parameters, { $ref: '#/components/parameters/IfNoneMatch' }]
}

/** @fastify/swagger says "Default Response" for want of a description. */
function describe(status: string, response: Operation['responses'][string]): void {
  if (response.description === 'Default Response') response.description = STATUS_CODES[status] ?? 'Any other status'
}

/**
 * Moves an error answer that several operations give in the same words into the components, named after its status:
 * a document of fifty operations is then read, and compared, without five hundred copies of them.
 */
function shareResponses(document: OpenApiDocument): void {
  const uses = new Map<string, Array<Operation['responses']>>()
  for (const { responses } of operationsOf(document)) {
    for (const [status, response] of Object.entries(responses)) {
      if (!/^([45]|default)/.test(status)) continue
      const key = `${status} ${JSON.stringify(response)}`
      uses.set(key, [...(uses.get(key) ?? []), responses])
    }
  }
  const shared: Record<string, unknown> = {}
  // The most used one of a status gets the name; between equals the text decides, not the order of loading.
  for (const [key, places] of [...uses].sort(([a, x], [b, y]) => y.length - x.length || (a < b ? -1 : 1))) {
    const [status = ''] = key.split(' ', 1)
    const name = (STATUS_CODES[status] ?? 'Other').replace(/\W/g, '')
    if (places.length < 2 || name in shared) continue
    shared[name] = JSON.parse(key.slice(status.length))
    for (const responses of places) responses[status] = { $ref: `#/components/responses/${name}` }
  }
  if (Object.keys(shared).length > 0) document.components.responses = shared
}

function inOrder(document: OpenApiDocument): OpenApiDocument {
  const paths = sorted(document.paths)
  for (const [path, item] of Object.entries(paths)) {
    const operations = Object.entries(item).map(([method, operation]) => [method, ordered(operation, OPERATION)])
    paths[path] = ordered(Object.fromEntries(operations), METHODS)
  }
  const components = sorted(document.components)
  for (const [kind, group] of Object.entries(components)) components[kind] = sorted(group)
  return ordered({ ...document, paths, components }, DOCUMENT)
}

function operationsOf({ paths }: OpenApiDocument): Operation[] {
  return Object.values(paths).flatMap((item) => Object.values(item))
}

function sorted<V>(record: Record<string, V>): Record<string, V> {
  return Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** The same fields, those in `keys` first and in that order. */
function ordered<R extends object>(record: R, keys: readonly string[]): R {
  const rank = (key: string) => (keys.includes(key) ? keys.indexOf(key) : keys.length)
  // Sorting the entries changes no field, so the record keeps its type.
  return Object.fromEntries(Object.entries(record).sort(([a], [b]) => rank(a) - rank(b))) as R
}
