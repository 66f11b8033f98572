import SerializerSelector from '@fastify/fast-json-stringify-compiler'
import { ErrorSchema, ProblemSchema } from './schema.ts'

const errorReferences = new Set([`${ErrorSchema.$id}#`, `${ProblemSchema.$id}#`])

/** Fastify asks for one serializer per route, status and media type; errors, sent as ready strings, share this one. */
const shared = (body: unknown): string => JSON.stringify(body)

/** A `buildSerializer` that compiles what succeeds as Fastify does, and errors not at all. */
export function serializerFactory(): SerializerSelector.SerializerFactory {
  const buildDefault = SerializerSelector()

  return function buildSerializer(externalSchemas, options) {
    const compile = buildDefault(externalSchemas, options)
    const extensions = Object.values((externalSchemas ?? {}) as Record<string, Extensible>)
      .filter(({ allOf }) => allOf?.some(({ $ref }) => errorReferences.has(String($ref))))
      .map(({ $id }) => `${$id}#`)
    const references = new Set([...errorReferences, ...extensions])
    return (route) => (references.has(referenceOf(route.schema)) ? shared : compile(route))
  }
}

/** A shared schema; one that extends an error says so by `allOf`. */
interface Extensible {
  $id?: unknown
  allOf?: Array<{ $ref?: unknown }>
}

const referenceOf = (schema: unknown): string =>
  typeof schema === 'object' && schema !== null && '$ref' in schema ? String(schema.$ref) : ''
