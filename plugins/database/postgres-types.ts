import pg from 'pg'
import { parsers } from './values.ts'

/** Missing from the driver's list of type ids, though it has a parser for it. */
const TEXT_ARRAY: number = 1009
const NUMERIC_ARRAY = 1231
const INT8 = 20

/** Arrays of what `parsers` reads, by type id (PGlite derives its own), and numeric arrays, which pg would round. */
const elementOf: Record<number, number> = { 1016: INT8, 1115: 1114, 1182: 1082, 1185: 1184, 1187: 1186 }

const arrayParsers: typeof parsers = Object.fromEntries(
  Object.entries(elementOf).map(([array, element]) => [array, arrayOf(parsers[element])])
)

const allParsers: typeof parsers = { ...parsers, ...arrayParsers, [NUMERIC_ARRAY]: arrayOf() }

/** Parsers for one node-postgres connection; the global ones stay as they are. */
export const postgresTypes = {
  getTypeParser: (id: number, format?: 'text' | 'binary') =>
    (format === 'binary' ? undefined : allParsers[id]) ?? pg.types.getTypeParser(id, format)
}

function arrayOf(parse: (text: string) => unknown = (text) => text): (text: string) => unknown {
  const parseArray = pg.types.getTypeParser(TEXT_ARRAY)
  const parseEach = (value: unknown): unknown =>
    Array.isArray(value) ? value.map(parseEach) : typeof value === 'string' ? parse(value) : value
  return (text) => parseEach(parseArray(text))
}
