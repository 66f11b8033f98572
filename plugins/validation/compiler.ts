import { isDeepStrictEqual } from 'node:util'
import AjvCompiler from '@fastify/ajv-compiler'
import type { FormatCheck } from './formats.ts'

/** A compiled schema: true, or false and `errors` tell why. */
interface Validate {
  (data: unknown): boolean
  errors?: AjvCompiler.ErrorObject[] | null
}

/** One part of one route's requests, as Fastify hands it in. */
interface RoutePart {
  schema: unknown
  /** `body`, `querystring`, `params` or `headers`. */
  httpPart?: string
}

type Schemas = Record<string, unknown>
type Formats = Record<string, FormatCheck>
type Coercion = false | 'array'

/** Larger values, in characters of text, are told their first problem only: Ajv cannot stop at the twentieth. */
const maxExplained = 10_000

/** A `buildValidator`: bodies are taken as they are, the text of query, path and headers becomes what the schema asks for. */
export function validatorFactory(formats: Formats): AjvCompiler.BuildCompilerFromPool {
  let last: { schemas: Schemas; compile: ReturnType<typeof partCompiler> } | undefined

  // Fastify asks in every scope, with the schemas shared there: mostly the same ones.
  function buildValidator(schemas: Schemas) {
    if (last === undefined || !isSame(last.schemas, schemas))
      last = { schemas, compile: partCompiler(schemas, formats) }
    return last.compile
  }
  // The published type says that the compiler is called with a schema; it is called with a RoutePart.
  return buildValidator as unknown as AjvCompiler.BuildCompilerFromPool
}

function isSame(some: Schemas, others: Schemas): boolean {
  const names = Object.keys(some)
  return names.length === Object.keys(others).length && names.every((name) => some[name] === others[name])
}

function partCompiler(schemas: Schemas, formats: Formats) {
  for (const schema of Object.values(schemas)) checkSchema(schema)
  const exact = explainingCompiler(schemas, formats, false)
  // 'array' also makes `?tag=a` the list it is with two; of a repeated single value it makes nothing, so that is refused.
  const fromText = explainingCompiler(schemas, formats, 'array')
  return ({ schema, httpPart }: RoutePart) => (httpPart === 'body' ? exact : fromText)(schema)
}

/** The validator stops at the first problem. A second one, compiled when it is first needed, then finds all of them. */
function explainingCompiler(schemas: Schemas, formats: Formats, coerceTypes: Coercion) {
  const compileFirst = ajv(schemas, formats, coerceTypes, false)
  let compileAll: typeof compileFirst | undefined

  return (schema: unknown): Validate => {
    checkSchema(schema)
    const validate = compileFirst(schema)
    let explain: Validate | undefined

    const check: Validate = (data) => {
      if (validate(data)) return true
      check.errors = validate.errors ?? null
      if (remainder(data, maxExplained) >= 0) {
        compileAll ??= ajv(schemas, formats, coerceTypes, true)
        explain ??= compileAll(schema)
        if (!explain(data)) check.errors = explain.errors ?? null
      }
      return false
    }
    return check
  }
}

/** What is left of a budget when the value is paid for; it stops looking when nothing is. */
function remainder(value: unknown, budget: number): number {
  if (typeof value === 'string') return budget - value.length
  if (typeof value !== 'object' || value === null) return budget
  let rest = budget
  for (const member of Array.isArray(value) ? value : Object.values(value)) {
    rest = remainder(member, rest - 1)
    if (rest < 0) break
  }
  return rest
}

/** As above: the type is not that of the compiler. Its pool of equal compilers knows nothing of formats, hence a new one. */
function build(schemas: unknown, options: object): (part: RoutePart) => Validate {
  const buildCompiler = AjvCompiler() as unknown as typeof build
  return buildCompiler(schemas, options)
}

function ajv(schemas: Schemas, formats: Formats, coerceTypes: Coercion, allErrors: boolean) {
  const compile = build(withBounds(schemas), {
    customOptions: {
      coerceTypes,
      allErrors,
      removeAdditional: false,
      useDefaults: true,
      allowUnionTypes: true,
      // Strict, it would skip the bounds of what is not finite, and a coerced value is not checked for that again.
      strictNumbers: false,
      validateSchema: false
    },
    plugins: [formatsPlugin(formats)]
  })
  const named = new Map<unknown, unknown>()
  const compiled = new Map<unknown, Validate>()

  return (schema: unknown): Validate => {
    // For an $id it has compiled before, Ajv returns that validator, whatever the schema.
    const $id = typeof schema === 'object' && schema !== null && '$id' in schema ? schema.$id : undefined
    if ($id !== undefined && !isDeepStrictEqual(named.get($id) ?? schema, schema)) {
      throw new Error(`Two different schemas have the $id "${$id}"`)
    }
    named.set($id, schema)
    const validate = compiled.get(schema) ?? compile({ schema: withBounds(schema) })
    compiled.set(schema, validate)
    return validate
  }
}

interface SchemaChecker {
  /** @throws that `schema` is no JSON Schema, and where */
  validateSchema(schema: unknown, throws: true): unknown
}
let checker: SchemaChecker | undefined

/** Left to itself, each instance of Ajv compiles the schema of schemas, which takes it longer than most routes together. */
function checkSchema(schema: unknown): void {
  if (checker === undefined)
    build({}, { customOptions: {}, onCreate: (instance: SchemaChecker) => (checker = instance) })
  checker?.validateSchema(schema, true)
}

/** The compiler adds the formats of `ajv-formats`, some of them lax or slow, unless a plugin has just this name. */
function formatsPlugin(formats: Formats) {
  return function formatsPlugin(instance: { addFormat(name: string, check: FormatCheck): void }) {
    for (const [name, check] of Object.entries(formats)) instance.addFormat(name, check)
  }
}

/** A copy in which numbers have bounds: the text of an integer beyond ±(2^53 − 1) becomes a neighbour of it, and 1e400 Infinity. */
function withBounds(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withBounds)
  if (typeof schema !== 'object' || schema === null) return schema
  const copy: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(schema)) copy[key] = withBounds(value)
  const types = [copy.type].flat()
  if (types.includes('integer')) return { minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER, ...copy }
  return types.includes('number') ? { minimum: -Number.MAX_VALUE, maximum: Number.MAX_VALUE, ...copy } : copy
}
