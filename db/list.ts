import type { Kysely, SelectQueryBuilder } from 'kysely'
import type { CursorResult, PageResult } from '../plugins/envelope/index.ts'
import { type CursorRequest, cursorList, type SortColumn, type SortOrder } from './cursor-list.ts'
import type { Cursors } from './cursors.ts'
import { PageWithCursor } from './errors.ts'
import { type PageListOptions, type PageRequest, pageList } from './page-list.ts'

/** As the query string says it (`ListQuery`): a page, or a part of a walk; the first page when it says neither. */
export type ListRequest = Partial<PageRequest & CursorRequest>

export type List<DB, Values, Row> = (
  db: Kysely<DB>,
  cursors: Cursors,
  values: Values,
  request: ListRequest
) => Promise<PageResult<Row> | CursorResult<Row>>

/**
 * A list that can be had in numbered pages, as by `pageList`, and walked to its end, as by `cursorList`.
 *
 * @throws PageWithCursor (422) when both are asked for
 */
export function list<DB, Values extends object, From, TB extends keyof From, Row>(
  name: string,
  build: (db: Kysely<DB>, values: Values) => SelectQueryBuilder<From, TB, Row>,
  order: SortOrder<SortColumn<From, TB>>,
  options?: PageListOptions
): List<DB, Values, Row> {
  const byPage = pageList(build, order, options)
  const byCursor = cursorList(name, build, order)

  return (db, cursors, values, { page, items_per_page, cursor, limit }) => {
    if (cursor === undefined && limit === undefined) {
      return byPage(db, values, { page: page ?? 1, items_per_page: items_per_page ?? 10 })
    }
    if (page !== undefined || items_per_page !== undefined) throw new PageWithCursor()
    return byCursor(db, cursors, values, { cursor, limit: limit ?? 10 })
  }
}
