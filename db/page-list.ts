import { type Kysely, type SelectQueryBuilder, sql } from 'kysely'
import type { PageResult } from '../plugins/envelope/index.ts'
import { type CompiledOptions, compiled } from './compiled.ts'
import type { SortColumn, SortOrder } from './cursor-list.ts'

/** Which page, as the query string says it. */
export interface PageRequest {
  page: number
  items_per_page: number
}

export interface PageListOptions extends Pick<CompiledOptions, 'replan'> {
  /** Rows that are counted, and that pages reach, at most. What lies behind is for `cursorList`. Default 10 000. */
  maxRows?: number
}

export type PageList<DB, Values, Row> = (
  db: Kysely<DB>,
  values: Values,
  request: PageRequest
) => Promise<PageResult<Row>>

/**
 * A list in numbered pages. Rows are counted only where the page itself does not tell how many there are, and never more
 * than `maxRows` of them: `is_total_exact` says which. So no page costs more than reading `maxRows` rows, and one behind
 * the end is empty. `build` and `order` are as for `cursorList`.
 */
export function pageList<DB, Values extends object, From, TB extends keyof From, Row>(
  build: (db: Kysely<DB>, values: Values) => SelectQueryBuilder<From, TB, Row>,
  order: SortOrder<SortColumn<From, TB>>,
  { maxRows = 10_000, ...options }: PageListOptions = {}
): PageList<DB, Values, Row> {
  const rows = compiled((db: Kysely<DB>, values: Values & { limit: number; offset: number }) => {
    const query = build(db, values).limit(values.limit).offset(values.offset)
    return order.reduce((query, [column, direction]) => query.orderBy(sql.ref(column), direction), query)
  }, options)
  const count = compiled((db: Kysely<DB>, values: Values) => {
    const counted = build(db, values)
      .clearSelect()
      .select(sql.lit(1).as('one'))
      .limit(sql.lit(maxRows + 1))
    const rows = sql<number>`(select count(*) from (${counted}) as counted)`.as('rows')
    // While the tables are open, the compiler cannot tell what a selection comes to.
    return db.selectNoFrom(rows).$castTo<{ rows: number }>()
  }, options)

  return async (db, values, { page, items_per_page }) => {
    const offset = (page - 1) * items_per_page
    const isWithin = offset < maxRows
    const found = isWithin ? await rows.execute(db, { ...values, limit: items_per_page + 1, offset }) : []
    const data = found.slice(0, items_per_page)
    // A page that is not full is the last one.
    const isEnd = isWithin && found.length <= items_per_page && (found.length > 0 || page === 1)
    const total = isEnd ? offset + data.length : (await count.executeTakeFirstOrThrow(db, values)).rows
    const is_total_exact = isEnd || total <= maxRows
    const has_more = found.length > items_per_page && offset + items_per_page < maxRows
    return { data, total_count: is_total_exact ? total : maxRows, is_total_exact, has_more, page, items_per_page }
  }
}
