import { type Static, type TSchema, type TUnsafe, Type } from '@sinclair/typebox'

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
  default: 'Any other refusal, e.g. 414 or 417'
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
  // A reference has no static type of its own: the type provider needs to be told what it stands for.
  return described<S, TUnsafe<ErrorBody>>(statuses, {
    'application/json': { schema: { $ref: 'Error#' } },
    'application/problem+json': { schema: { $ref: 'Problem#' } }
  })
}

/** The same for a route with a shape of its own (`config.fault`): that of a schema shared by `app.addSchema`. */
export function errorsAs<T extends TSchema, const S extends ErrorStatus[]>({ $id }: T, ...statuses: S) {
  return described<S, T>(statuses, { 'application/json': { schema: { $ref: `${$id}#` } } })
}

function described<S extends ErrorStatus[], T extends TSchema>(statuses: S, content: Record<string, object>) {
  const entries = statuses.map((status) => [
    status,
    { description: descriptions[status], ...(headers[status] && { headers: headers[status] }), content }
  ])
  return Object.fromEntries(entries) as { [status in S[number]]: T }
}
