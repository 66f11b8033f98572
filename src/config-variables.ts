import { type SchemaOptions, type TLiteral, type TUnion, Type } from '@sinclair/typebox'

/** What a variable's schema carries besides JSON Schema: read by the loader and by the generated documentation. */
export interface VariableOptions extends SchemaOptions {
  description: string
  group?: string
  unit?: string
  /** Never printed; may also come from a file named by `<NAME>_FILE`. */
  secret?: boolean
}

type Options<T> = SchemaOptions & { default: T; unit?: string }
type Optional = SchemaOptions & { secret?: boolean }

/** Builders of one group's variables. */
export function group(name: string) {
  return {
    text: (description: string, options: Options<string>) => Type.String({ description, group: name, ...options }),
    optional: (description: string, options: Optional = {}) =>
      Type.Optional(Type.String({ description, group: name, minLength: 1, ...options })),
    integer: (description: string, minimum: number, maximum: number, options: Options<number>) =>
      Type.Integer({ description, group: name, minimum, maximum, ...options }),
    flag: (description: string, value: boolean) => Type.Boolean({ description, group: name, default: value }),
    optionalFlag: (description: string) => Type.Optional(Type.Boolean({ description, group: name })),
    list: (description: string, item: { pattern: string; items: string }) =>
      Type.Array(Type.String({ pattern: item.pattern }), {
        description,
        group: name,
        default: [],
        unit: 'comma separated',
        expected: item.items
      }),
    choice: <const V extends string[]>(description: string, values: V, value: V[number]) =>
      // TypeBox cannot infer the tuple of literals from a mapped array.
      Type.Union(values.map((v) => Type.Literal(v)) as { [K in keyof V]: TLiteral<V[K]> }, {
        description,
        group: name,
        default: value
      }) as TUnion<{ [K in keyof V]: TLiteral<V[K]> }>
  }
}
