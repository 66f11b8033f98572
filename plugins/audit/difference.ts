import { isDeepStrictEqual } from 'node:util'

/** What an event says of a change, small whatever was sent. */
export type Difference = {
  /** Names of what is another now. */
  fields: string[]
  /** Of those that may be shown, what they were and what they are. */
  from?: Record<string, unknown>
  to?: Record<string, unknown>
}

const MAX_FIELDS = 50
const MAX_VALUE_BYTES = 1500

/** Compares what was with what was asked for; of what is made anew, `before` is `{}`. */
export function difference<T extends object>(
  before: Partial<T>,
  changes: T,
  shown: Array<keyof T & string>
): Difference {
  const known: Record<string, unknown> = { ...before }
  const differing = Object.entries(changes).filter(([name, value]) => !isDeepStrictEqual(known[name], value))
  const visible = differing.filter(([name]) => shown.some((other) => other === name))
  const from = visible.filter(([name]) => name in known).map(([name]) => [name, short(known[name])])
  return {
    fields: differing.slice(0, MAX_FIELDS).map(([name]) => name),
    ...(from.length > 0 && { from: Object.fromEntries(from) }),
    ...(visible.length > 0 && { to: Object.fromEntries(visible.map(([name, value]) => [name, short(value)])) })
  }
}

/** Of a body that was taken as it is: the names in it. */
export function namesIn(body: unknown): Pick<Difference, 'fields'> | undefined {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return undefined
  return {
    fields: Object.keys(body)
      .slice(0, MAX_FIELDS)
      .map((name) => name.slice(0, 64))
  }
}

const short = (value: unknown) =>
  Buffer.byteLength(JSON.stringify(value) ?? '') > MAX_VALUE_BYTES ? '[too long]' : value
