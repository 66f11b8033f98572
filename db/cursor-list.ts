import { type Kysely, type RawBuilder, type SelectQueryBuilder, type SelectType, type SqlBool, sql } from 'kysely'
import type { CursorResult } from '../plugins/envelope/index.ts'
import { compiled } from './compiled.ts'
import type { Cursors } from './cursors.ts'

/**
 * Columns that are never null, so that every row has a place. With their table: a plain `id` in ORDER BY would be the
 * selected `public_id as id`.
 */
export type SortColumn<DB, TB extends keyof DB> = {
  [T in TB & string]: {
    [C in keyof DB[T] & string]: SelectType<DB[T][C]> extends string | number | boolean ? `${T}.${C}` : never
  }[keyof DB[T] & string]
}[TB & string]

/** What a list is sorted by. The columns together must be unique, or rows that tie would be skipped. */
export type SortOrder<Column extends string = string> = ReadonlyArray<readonly [column: Column, 'asc' | 'desc']>

/** Where a walk through a list goes on, as the query string says it. */
export interface CursorRequest {
  cursor?: string | undefined
  limit: number
}

export type CursorList<DB, Values, Row> = (
  db: Kysely<DB>,
  cursors: Cursors,
  values: Values,
  request: CursorRequest
) => Promise<CursorResult<Row>>

/**
 * A list that is walked by cursor: each part costs the same wherever it is, and rows that come and go meanwhile neither
 * repeat nor hide others. `build` selects and filters; order and limit are added. As with `compiled`, it runs once and
 * uses its values only as values. A cursor is good for one `name`, order and set of values.
 *
 * @example
 * const listNotes = cursorList('notes', (db: Kysely<Database>, { owner_id }: { owner_id: number }) =>
 *   db.selectFrom('notes').select(['public_id as id', 'title']).where('owner_id', '=', owner_id),
 *   [['notes.created_at', 'desc'], ['notes.id', 'desc']]
 * )
 * await listNotes(db, cursors, { owner_id: 1 }, request.query)
 */
export function cursorList<DB, Values extends object, From, TB extends keyof From, Row>(
  name: string,
  build: (db: Kysely<DB>, values: Values) => SelectQueryBuilder<From, TB, Row>,
  order: SortOrder<SortColumn<From, TB>>
): CursorList<DB, Values, Row> {
  if (order.length > MAX_COLUMNS) throw new Error(`${name}: a list is sorted by ${MAX_COLUMNS} columns at most`)
  const ordered = (db: Kysely<DB>, values: Values & Window) =>
    order
      .reduce((query, [column, direction]) => query.orderBy(sql.ref(column), direction), build(db, values))
      .select(order.map(([column], index) => sql.ref(column).as(placeOf(index))))
      .limit(values.limit)
  const first = compiled(ordered)
  const next = compiled((db: Kysely<DB>, values: Values & Window & Places) =>
    ordered(db, values).where(isBehind(order, placesIn(values, order)))
  )

  return async (db, cursors, values, { cursor, limit }) => {
    const scope = cursorScope(name, order, values)
    const window = { ...values, limit: limit + 1 }
    const rows =
      cursor === undefined
        ? await first.execute(db, window)
        : await next.execute(db, Object.assign(window, toPlaces(cursors.open(scope, cursor))))
    const last = rows.length > limit ? rows[limit - 1] : undefined
    const next_cursor = last === undefined ? null : cursors.seal(scope, placesIn(last, order))
    const data = rows.slice(0, limit).map(withoutPlaces<Row>)
    return { data, has_more: last !== undefined, next_cursor }
  }
}

/** What the cursors of one list are sealed for. */
export const cursorScope = (name: string, order: SortOrder, values: object) => JSON.stringify([name, order, values])

/** As many as `withoutPlaces` takes out again. */
const MAX_COLUMNS = 4

interface Window {
  limit: number
}

/** The sort values of a row, beside its own columns. */
type Places = Record<`cursor_${number}`, unknown>
const placeOf = (index: number) => `cursor_${index}` as const
const placesIn = (places: Places, order: SortOrder) => order.map((_, index) => places[placeOf(index)])
const toPlaces = (values: unknown[]): Places =>
  Object.fromEntries(values.map((value, index) => [placeOf(index), value]))

/** Names, not a loop: V8 copies what is left quickly, and an object that properties are deleted from is slow ever after. */
function withoutPlaces<Row>({ cursor_0: _0, cursor_1: _1, cursor_2: _2, cursor_3: _3, ...row }: Row & Places): Row {
  // What the query selected, before the places were added.
  return row as Row
}

/**
 * Whether a row comes behind a place: `a < $1 or a = $1 and (b < $2 or …)`. Where all directions agree a comparison of
 * rows says the same, and an index on the columns starts right there.
 */
function isBehind(order: SortOrder, values: unknown[]) {
  const columns = order.map(([column]) => sql.ref(column))
  const compare = order.map(([, direction]) => (direction === 'asc' ? sql`>` : sql`<`))
  const [first] = order
  if (order.every(([, direction]) => direction === first?.[1])) {
    return sql<SqlBool>`(${sql.join(columns)}) ${compare[0]} (${sql.join(values)})`
  }
  return order.reduceRight<RawBuilder<SqlBool>>(
    (rest, _, at) => sql`(${columns[at]} ${compare[at]} ${values[at]} or ${columns[at]} = ${values[at]} and ${rest})`,
    sql`false`
  )
}
