import { type Compilable, isExpression, type Kysely } from 'kysely'
import { type Compiled, type CompiledOptions, compiled } from './compiled.ts'

/** Names of columns with values. */
export type Fields = Record<string, unknown>
/** Any tables at all: the data kit is typed at its surface. */
export type LooseTables = Record<string, Fields>
export type Loose = Kysely<LooseTables>

/** Beyond this many shapes of one table, further ones are built at each run. */
const MAX_SHAPES = 200

/**
 * Runs queries that are built once per shape: one `operation` with the same names in each part, and the same of them
 * null. What no name stands for (a condition that is a function, an expression or an array as a value) is built at each
 * run, and so is everything of an operation that has no name itself.
 */
export function shapes() {
  const known = new Map<string, Compiled<LooseTables, Fields, Fields>>()

  return async function run<Parts extends [object, ...object[]]>(
    db: Loose,
    operation: string | undefined,
    parts: Parts,
    build: (db: Loose, ...parts: Parts) => Compilable<Fields>,
    options?: CompiledOptions
  ): Promise<Fields[]> {
    const shape = operation === undefined ? undefined : shapeOf(operation, parts)
    let query = shape === undefined ? undefined : known.get(shape)
    if (query === undefined && shape !== undefined && known.size < MAX_SHAPES) {
      query = compiled((db: Loose, values: Fields) => build(db, ...standIns(parts, values)), options)
      known.set(shape, query)
    }
    if (query !== undefined) return query.execute(db, flatten(parts))
    return (await db.executeQuery(build(db, ...parts).compile())).rows
  }
}

function shapeOf(operation: string, parts: object[]): string | undefined {
  let shape = operation
  for (const part of parts) {
    if (typeof part === 'function') return undefined
    shape += ';'
    for (const [name, value] of Object.entries(part)) {
      if (value === undefined) throw new TypeError(`The condition on ${name} has no value`)
      if (isExpression(value) || Array.isArray(value)) return undefined
      shape += value === null ? `${name}=null,` : `${name},`
    }
  }
  return shape
}

const placeOf = (part: number, name: string) => `${part}.${name}`

/** The parts, with what `values` has in the place of each value; null is part of the shape and stays. */
function standIns<Parts extends object[]>(parts: Parts, values: Fields): Parts {
  const replaced = parts.map((part, index) =>
    Object.fromEntries(
      Object.entries(part).map(([name, value]) => [name, value === null ? null : values[placeOf(index, name)]])
    )
  )
  // The same names; the values are looked at only by the query builder.
  return replaced as Parts
}

function flatten(parts: object[]): Fields {
  const values: Fields = {}
  for (const [index, part] of parts.entries()) {
    for (const [name, value] of Object.entries(part)) values[placeOf(index, name)] = value
  }
  return values
}
