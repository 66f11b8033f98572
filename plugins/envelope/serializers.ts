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
    return (route) => (isErrorReference(route.schema) ? shared : compile(route))
  }
}

function isErrorReference(schema: unknown): boolean {
  return typeof schema === 'object' && schema !== null && '$ref' in schema && errorReferences.has(String(schema.$ref))
}
