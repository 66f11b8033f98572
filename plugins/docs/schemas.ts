import type { FastifySchema } from 'fastify'

type NamedSchema = Record<string, unknown> & { $id: string }

/**
 * Remembers every schema that carries an `$id` and refuses a second one of another shape: components are named by
 * `$id`, so one of the two would silently stand for both.
 * @throws Error naming the `$id`
 */
export function uniqueSchemas(): (schema: unknown) => void {
  const shapes = new Map<string, string>()
  return function check(schema) {
    if (isNamed(schema)) {
      const shape = JSON.stringify(schema)
      const known = shapes.get(schema.$id)
      if (known !== undefined && known !== shape) throw new Error(`Two different schemas have the $id "${schema.$id}"`)
      shapes.set(schema.$id, shape)
    }
    if (typeof schema === 'object' && schema !== null) for (const part of Object.values(schema)) check(part)
  }
}

/**
 * Lets a schema with an `$id` at the root of a body or an answer become a component: @fastify/swagger does that for
 * nested ones only and writes those out in full, nameless. `unwrapRoot` takes the wrapping off again.
 */
export function wrapRoots(schema: FastifySchema | undefined): FastifySchema {
  const { body, response } = schema ?? {}
  const wrapped = { ...schema }
  if (isNamed(body)) wrapped.body = { allOf: [body] }
  if (isRecord(response)) {
    const entries = Object.entries(response).map(([status, root]) => [
      status,
      isNamed(root) ? { allOf: [root], 'x-response-description': root.description } : root
    ])
    wrapped.response = Object.fromEntries(entries)
  }
  return wrapped
}

/** `{ allOf: [schema] }` without the wrapping, anything else as it is. */
export function unwrapRoot(value: unknown): unknown {
  if (!isRecord(value) || !Array.isArray(value.allOf) || value.allOf.length !== 1) return value
  return Object.keys(value).length === 1 ? value.allOf[0] : value
}

function isNamed(schema: unknown): schema is NamedSchema {
  return isRecord(schema) && typeof schema.$id === 'string'
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
