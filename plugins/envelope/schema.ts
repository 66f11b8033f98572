import { type TArray, type TSchema, Type } from '@sinclair/typebox'

export * from './error-schema.ts'

/** The schema of a success: `{ status: 'success', message, data }`. */
export function envelope<T extends TSchema>(data: T) {
  return Type.Object({
    status: Type.Literal('success'),
    message: Type.String({ description: 'What happened, for people', examples: ['Retrieved successfully'] }),
    data
  })
}

/** The same for a 201, whose `Location` names what was made (RFC 9110 §15.3.2). */
export const created = <T extends TSchema>(data: T) =>
  Object.assign(envelope(data), { headers: { Location: { type: 'string', description: 'Where it is from now on' } } })

const pageMembers = {
  total_count: Type.Integer({ minimum: 0, description: 'Items on all pages together' }),
  is_total_exact: Type.Boolean({
    description: 'Whether there are as many, or at least as many: counting has its limit'
  }),
  page: Type.Integer({ minimum: 1, description: 'Number of this page, from 1' }),
  items_per_page: Type.Integer({ minimum: 1, description: 'Items a full page holds' })
}

const cursorMembers = {
  next_cursor: Type.Unsafe<string | null>({
    type: ['string', 'null'],
    description: 'Leads to the next part; `null` at the end'
  })
}

const list = <T extends TSchema>(item: T) => ({
  ...envelope<TArray<T>>(Type.Array(item)).properties,
  has_more: Type.Boolean({ description: 'Whether the list goes on' })
})

/** The schema of one page of a list: the envelope, its `data` an array, plus the members about the page. */
export const pageEnvelope = <T extends TSchema>(item: T) => Type.Object({ ...list(item), ...pageMembers })

/** The schema of one part of a list that is walked by cursor. */
export const cursorEnvelope = <T extends TSchema>(item: T) => Type.Object({ ...list(item), ...cursorMembers })

/** The schema of a list that can be had in pages and by cursor: the members of the one that was asked for are there. */
export const listEnvelope = <T extends TSchema>(item: T) =>
  Type.Object({ ...list(item), ...Type.Partial(Type.Object({ ...pageMembers, ...cursorMembers })).properties })

const parameters = {
  page: { minimum: 1, maximum: 2_147_483_647, description: 'Number of the page, from 1' },
  items_per_page: { minimum: 1, maximum: 100, description: 'Items on a page, 10 by default' },
  cursor: { minLength: 1, maxLength: 1024, description: '`next_cursor` of the part before' },
  limit: { minimum: 1, maximum: 100, description: 'Items in a part, 10 by default' }
}

/** The query of a page-numbered list: `page` from 1, `items_per_page` up to 100. A page beyond the end is empty. */
export const PageQuery = Type.Object(
  {
    page: Type.Integer({ ...parameters.page, default: 1 }),
    items_per_page: Type.Integer({ ...parameters.items_per_page, default: 10 })
  },
  { additionalProperties: false }
)

/** The query of a list that is walked by cursor: none at first, then the `next_cursor` of the part before. */
export const CursorQuery = Type.Object(
  { cursor: Type.Optional(Type.String(parameters.cursor)), limit: Type.Integer({ ...parameters.limit, default: 10 }) },
  { additionalProperties: false }
)

/** The query of a list that can be had either way: nothing has a default, so that a handler sees which was asked for. */
export const ListQuery = Type.Partial(
  Type.Object({
    page: Type.Integer(parameters.page),
    items_per_page: Type.Integer(parameters.items_per_page),
    cursor: Type.String(parameters.cursor),
    limit: Type.Integer(parameters.limit)
  }),
  { additionalProperties: false }
)

/** The schema of a success that carries no data: `data` is `null`. */
export const Message = envelope(Type.Null())

/** The body of a success. */
export interface Success<T> {
  status: 'success'
  message: string
  data: T
}

/** What one page of a list says about itself; `data` holds its items. */
export interface PageResult<T> {
  data: T[]
  total_count: number
  /** Whether there are as many or at least as many. */
  is_total_exact: boolean
  has_more: boolean
  page: number
  items_per_page: number
}

/** The body of a success, to be returned from a handler. */
export function success<T>(message: string, data: T): Success<T> {
  return { status: 'success', message, data }
}

/** What one part of a list walked by cursor says about itself. */
export interface CursorResult<T> {
  data: T[]
  has_more: boolean
  next_cursor: string | null
}

type Listed = PageResult<unknown> | CursorResult<unknown>

/** The body of a part of a list, be it a page or walked by cursor, to be returned from a handler. `show` makes each item what is shown. */
export function page<R extends Listed>(message: string, result: R): Success<R['data']> & R
export function page<R extends Listed, U>(
  message: string,
  result: R,
  show: (item: R['data'][number]) => U
): Success<U[]> & Omit<R, 'data'>
export function page(message: string, result: Listed, show?: (item: unknown) => unknown): Success<unknown[]> & Listed {
  return { status: 'success', message, ...result, data: show === undefined ? result.data : result.data.map(show) }
}
