import {
  Kind,
  type SchemaOptions,
  type Static,
  type StringOptions,
  type TSchema,
  type TUnsafe,
  Type
} from '@sinclair/typebox'

/** A string of at most `maxLength` characters (Unicode code points). A string without a bound has no place in an API. */
export function text(maxLength: number, options: StringOptions = {}) {
  return Type.String({ ...options, maxLength })
}

/** One of the given strings, as a plain `enum`: a union of literals would be spelt as `anyOf` in the document. */
export function StringEnum<const T extends string[]>(values: T, options: SchemaOptions = {}): TUnsafe<T[number]> {
  return Type.Unsafe<T[number]>({ ...options, type: 'string', enum: values })
}

/** The schema, or `null`. */
export function Nullable<T extends TSchema>(schema: T): TUnsafe<Static<T> | null> {
  if (typeof schema.type !== 'string') return Type.Unsafe<Static<T> | null>({ anyOf: [schema, { type: 'null' }] })
  return Type.Unsafe<Static<T> | null>({
    ...schema,
    [Kind]: 'Unsafe',
    type: [schema.type, 'null'],
    ...(Array.isArray(schema.enum) && { enum: [...schema.enum, null] })
  })
}

/** A UUID, the only kind of id the outside sees. */
export function Id(options: StringOptions = {}) {
  return Type.String({ ...options, format: 'uuid', maxLength: 36 })
}

/** An instant: ISO 8601 with an offset, years 1 to 9999, at most microseconds. */
export function DateTime(options: StringOptions = {}) {
  return Type.String({ ...options, format: 'date-time', maxLength: 32 })
}

/** A day of the calendar: `YYYY-MM-DD`. */
export function CalendarDate(options: StringOptions = {}) {
  return Type.String({ ...options, format: 'date', maxLength: 10 })
}

/** An e-mail address as RFC 5321 bounds it. */
export function Email(options: StringOptions = {}) {
  return Type.String({ ...options, format: 'email', maxLength: 254 })
}
