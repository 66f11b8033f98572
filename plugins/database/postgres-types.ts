import pg from 'pg'
import { int8ToNumber, timestamptzToIso } from './values.ts'

type Parse = (text: string) => unknown

const INT8 = 20
const BYTEA = 17
const DATE = 1082
const TIMESTAMP = 1114
const TIMESTAMPTZ = 1184
const INTERVAL = 1186
/** Missing from the driver's list of type ids, though it has a parser for it. */
const TEXT_ARRAY: number = 1009
const NUMERIC_ARRAY = 1231

/** How values are read, by PostgreSQL's type id. Other types keep the driver's parser (numeric and uuid are text). */
const parsers: Record<number, Parse> = {
  [INT8]: int8ToNumber,
  [BYTEA]: (text) => Buffer.from(text.slice(2), 'hex'),
  [DATE]: (text) => text,
  [TIMESTAMP]: (text) => text.replace(' ', 'T'),
  [TIMESTAMPTZ]: timestamptzToIso,
  [INTERVAL]: (text) => text
}

/** Arrays of those, by type id, and numeric arrays, which pg would round. */
const elementOf: Record<number, number> = { 1016: INT8, 1115: TIMESTAMP, 1182: DATE, 1185: TIMESTAMPTZ, 1187: INTERVAL }

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
