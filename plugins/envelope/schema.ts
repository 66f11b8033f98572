import { type Static, type TArray, type TSchema, type TUnsafe, Type } from '@sinclair/typebox'

/** The schema of a success: `{ status: 'success', message, data }`. */
export function envelope<T extends TSchema>(data: T) {
  return Type.Object({
    status: Type.Literal('success'),
    message: Type.String({ description: 'What happened, for people', examples: ['Retrieved successfully'] }),
    data
  })
}

/** The schema of one page of a list: the envelope, its `data` an array, plus the members about the page. */
export function pageEnvelope<T extends TSchema>(item: T) {
  const { properties } = envelope<TArray<T>>(Type.Array(item))
  return Type.Object({
    ...properties,
    total_count: Type.Integer({ minimum: 0, description: 'Items on all pages together' }),
    is_total_exact: Type.Boolean({
      description: 'Whether there are as many, or at least as many (counting has its limit)'
    }),
    has_more: Type.Boolean({ description: 'Whether a further page exists' }),
    page: Type.Integer({ minimum: 1, description: 'Number of this page, from 1' }),
    items_per_page: Type.Integer({ minimum: 1, description: 'Items a full page holds' })
  })
}

/** The query of a page-numbered list: `page` from 1, `items_per_page` up to 100. A page beyond the end is empty. */
export const PageQuery = Type.Object(
  {
    page: Type.Integer({ minimum: 1, maximum: 2_147_483_647, default: 1, description: 'Number of the page, from 1' }),
    items_per_page: Type.Integer({ minimum: 1, maximum: 100, default: 10, description: 'Items on a page' })
  },
  { additionalProperties: false }
)

/** The schema of one part of a list that is walked by cursor. */
export function cursorEnvelope<T extends TSchema>(item: T) {
  const { properties } = envelope<TArray<T>>(Type.Array(item))
  return Type.Object({
    ...properties,
    has_more: Type.Boolean({ description: 'Whether the list goes on' }),
    next_cursor: Type.Unsafe<string | null>({
      type: ['string', 'null'],
      description: 'Leads to the next part; `null` at the end'
    })
  })
}

/** The query of a list that is walked by cursor: none at first, then the `next_cursor` of the part before. */
export const CursorQuery = Type.Object(
  {
    cursor: Type.Optional(
      Type.String({ minLength: 1, maxLength: 1024, description: '`next_cursor` of the part before' })
    ),
    limit: Type.Integer({ minimum: 1, maximum: 100, default: 10, description: 'Items in a part' })
  },
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
  /** Whether there are as many or at least as many. Default `true`. */
  is_total_exact?: boolean
  has_more: boolean
  page: number
  items_per_page: number
}

/** The body of a success, to be returned from a handler. */
export function success<T>(message: string, data: T): Success<T> {
  return { status: 'success', message, data }
}

/** The body of one page of a list, to be returned from a handler. */
export function page<T>(message: string, result: PageResult<T>): Success<T[]> & Required<PageResult<T>> {
  const { data, total_count, is_total_exact = true, has_more, page, items_per_page } = result
  return { status: 'success', message, data, total_count, is_total_exact, has_more, page, items_per_page }
}

/** What one part of a list walked by cursor says about itself. */
export interface CursorResult<T> {
  data: T[]
  has_more: boolean
  next_cursor: string | null
}

/** The body of one part of a list walked by cursor, to be returned from a handler. */
export function cursorPage<T>(message: string, result: CursorResult<T>): Success<T[]> & CursorResult<T> {
  const { data, has_more, next_cursor } = result
  return { status: 'success', message, data, has_more, next_cursor }
}

const FieldError = Type.Object({
  field: Type.String({ description: 'Dotted path of the value, e.g. `address.city` or `tags.0`' }),
  message: Type.String({ description: 'What is wrong with it' })
})

const shared = {
  error_code: Type.String({ description: 'Stable name for programs', examples: ['VALIDATION_FAILED'] }),
  errors: Type.Optional(Type.Array(FieldError, { description: 'Every problem found, where there are several' })),
  solution: Type.Optional(Type.String({ description: 'What the caller can do about it' })),
  request_id: Type.String({ description: 'Names this request in the logs' })
}

/** The shape of every error, shared as `Error`. Errors may carry further members (RFC 9457 calls them extensions). */
export const ErrorSchema = Type.Object(
  {
    status: Type.Literal('error'),
    code: Type.Integer({ description: 'The HTTP status', examples: [422] }),
    message: Type.String({ description: 'What went wrong, for people', examples: ['Validation failed'] }),
    ...shared
  },
  { $id: 'Error', description: 'An error' }
)

/** The same error as RFC 9457 tells it, shared as `Problem`; sent when `Accept` prefers `application/problem+json`. */
export const ProblemSchema = Type.Object(
  {
    type: Type.String({ format: 'uri-reference', examples: ['about:blank'] }),
    title: Type.String({ description: 'The phrase of the HTTP status' }),
    status: Type.Integer({ description: 'The HTTP status', examples: [422] }),
    detail: Type.String({ description: 'What went wrong, for people' }),
    instance: Type.String({ format: 'uri-reference', description: 'The request id as a URN' }),
    ...shared
  },
  { $id: 'Problem', description: 'An error as RFC 9457 problem details' }
)

export type FieldError = Static<typeof FieldError>
export type ErrorBody = Static<typeof ErrorSchema>
export type ProblemBody = Static<typeof ProblemSchema>

const descriptions = {
  400: 'Malformed: syntax, encoding or host',
  401: 'Credentials are missing or invalid',
  403: 'Known, but not permitted',
  404: 'Absent, or invisible to the caller',
  409: 'A duplicate, or in conflict with the present state',
  412: 'A precondition does not hold',
  413: 'The body is too large',
  415: 'The content type or encoding is not supported',
  422: 'Validation failed',
  428: 'A precondition is required',
  429: 'A limit is used up',
  500: 'A fault of the server',
  503: 'A dependency is out, or the server is too busy; try again',
  default: 'Any other refusal, e.g. 408, 414 or 431'
} as const

const header = (description: string) => ({ type: 'string', description })
const headers: Partial<Record<keyof typeof descriptions, Record<string, ReturnType<typeof header>>>> = {
  401: { 'WWW-Authenticate': header('How to authenticate (RFC 9110)') },
  429: { 'Retry-After': header('Seconds to wait') },
  503: { 'Retry-After': header('Seconds to wait') }
}

/** A status that `errors()` can describe; `default` stands for all that are not named. */
export type ErrorStatus = keyof typeof descriptions

/**
 * Entries of a route's `response` for error statuses, in both media types: `response: { 200: …, ...errors(404, 409) }`.
 * They refer to the schemas `Error` and `Problem`, which the envelope plugin shares, and compile to nothing.
 */
export function errors<const S extends ErrorStatus[]>(...statuses: S) {
  const entries = statuses.map((status) => [
    status,
    {
      description: descriptions[status],
      ...(headers[status] && { headers: headers[status] }),
      content: {
        'application/json': { schema: { $ref: 'Error#' } },
        'application/problem+json': { schema: { $ref: 'Problem#' } }
      }
    }
  ])
  // A reference has no static type of its own: the type provider needs to be told what it stands for.
  return Object.fromEntries(entries) as { [status in S[number]]: TUnsafe<ErrorBody> }
}
