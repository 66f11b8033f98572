import AjvCompiler from '@fastify/ajv-compiler'
import type { TSchema } from '@sinclair/typebox'

/** Tells what is wrong with a payload, as `/path must …`; nothing when it fits. Values are never part of it. */
export type PayloadCheck = (payload: unknown) => string | undefined

type Validate = ((data: unknown) => boolean) & { errors?: AjvCompiler.ErrorObject[] | null }

// The published type names the compiler's factory, not the compiler.
const build = AjvCompiler() as unknown as (schemas: object, options: object) => (part: { schema: unknown }) => Validate
const compile = build(
  {},
  { customOptions: { coerceTypes: false, removeAdditional: false, useDefaults: false, allowUnionTypes: true } }
)

/** Payloads are taken as they are: nothing is coerced or dropped. */
export function compilePayload(schema: TSchema): PayloadCheck {
  const validate = compile({ schema })
  return (payload) => {
    if (validate(payload)) return undefined
    const [first] = validate.errors ?? []
    return `${first?.instancePath ?? ''} ${first?.message ?? 'is invalid'}`
  }
}
