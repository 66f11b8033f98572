import { createError } from '@fastify/error'

type Reason = [reason: string]

/** 400: the text of the body is not JSON that this service reads; the reason says why. */
export const MalformedJson = createError<'MALFORMED_JSON', 400, Reason>('MALFORMED_JSON', 'The body %s', 400)
/** 400: a content type of JSON, and no body. */
export const EmptyBody = createError<'EMPTY_BODY', 400, []>('EMPTY_BODY', 'The body is empty', 400)
/** 400: a percent-encoding in the URL is not UTF-8, or hides a NUL. */
export const MalformedUrl = createError<'MALFORMED_URL', 400, []>(
  'MALFORMED_URL',
  'The URL is not validly encoded',
  400
)
/** 415: JSON in another charset, or with parameters nobody knows. */
export const UnsupportedMediaType = createError<'UNSUPPORTED_MEDIA_TYPE', 415, []>(
  'UNSUPPORTED_MEDIA_TYPE',
  'The content type must be application/json in UTF-8',
  415
)
/** 415: a compressed body. */
export const UnsupportedEncoding = createError<'UNSUPPORTED_CONTENT_ENCODING', 415, []>(
  'UNSUPPORTED_CONTENT_ENCODING',
  'The body must not be compressed',
  415
)
/** 422: a body for a route whose schema describes none; `errors` names its fields. */
export const UnexpectedBody = createError<'VALIDATION_FAILED', 422, []>('VALIDATION_FAILED', 'Validation failed', 422)
