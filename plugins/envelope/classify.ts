import { createError } from '@fastify/error'
import { type Fault, internalFault, statusFault } from './fault.ts'
import type { FieldError } from './schema.ts'
import { sqlFault } from './sqlstate.ts'
import { isValidationError, validationFault } from './validation-errors.ts'

/** Fastify's own refusals, which would echo input in part, in words of ours. */
const frameworkFaults: Record<string, Fault> = {
  FST_ERR_BAD_URL: { status: 400, error_code: 'MALFORMED_URL', message: 'The URL is not validly encoded' },
  FST_ERR_CTP_INVALID_JSON_BODY: { status: 400, error_code: 'MALFORMED_JSON', message: 'The body is not valid JSON' },
  FST_ERR_CTP_EMPTY_JSON_BODY: { status: 400, error_code: 'EMPTY_BODY', message: 'The body is empty' },
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: { ...statusFault(400), message: 'The body is not as long as announced' },
  FST_ERR_CTP_BODY_TOO_LARGE: { ...statusFault(413), message: 'The body is too large' },
  FST_ERR_CTP_INVALID_MEDIA_TYPE: { ...statusFault(415), message: 'The content type is missing or not supported' },
  FST_ERR_MAX_PARAM_LENGTH: { ...statusFault(414), message: 'A part of the URL is too long' },
  FST_ERR_HANDLER_TIMEOUT: { ...statusFault(503), message: 'The request took too long' }
}

interface Thrown {
  code?: unknown
  statusCode?: unknown
  status?: unknown
  message?: unknown
  /** The convention of `http-errors`: the message was written for the caller. */
  expose?: unknown
  errors?: unknown
  solution?: unknown
  details?: unknown
  problem?: unknown
  headers?: unknown
}

/**
 * Decides what may be told about whatever was thrown. Only an error made for the caller speaks for itself (a constant of
 * `createError`, or `expose: true`): a status on anything else may come from a library's own call to somewhere, and so
 * may the message.
 */
export function toFault(error: unknown): Fault {
  if (typeof error !== 'object' || error === null) return internalFault
  if (isValidationError(error)) return validationFault(error)

  const thrown: Thrown = error
  const status = Number(thrown.statusCode ?? thrown.status)
  const code = typeof thrown.code === 'string' ? thrown.code : ''
  const isConstant = error instanceof createError.FastifyError
  const known = isConstant ? frameworkFaults[code] : sqlFault(code, error)
  if (known !== undefined) return known
  if (isConstant && !code.startsWith('FST_')) return publicFault(status, thrown, code)
  if (thrown.expose === true) return publicFault(status, thrown)
  return status < 500 ? statusFault(status) : internalFault
}

function publicFault(status: number, thrown: Thrown, error_code?: string): Fault {
  const fault = statusFault(status)
  if (fault === internalFault) return fault
  return { ...fault, ...(error_code && { error_code }), message: String(thrown.message), ...extras(thrown) }
}

function extras({ errors, solution, details, problem, headers }: Thrown): Partial<Fault> {
  return {
    ...(isArrayOfFields(errors) && { errors }),
    ...(typeof solution === 'string' && { solution }),
    ...(isRecord(details) && { details }),
    ...(isRecord(problem) && { problem }),
    ...(isHeaders(headers) && { headers })
  }
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null

const isArrayOfFields = (value: unknown): value is FieldError[] =>
  Array.isArray(value) && value.every((item) => isRecord(item) && 'field' in item && 'message' in item)

const isHeaders = (value: unknown): value is Record<string, string | number> =>
  isRecord(value) && Object.values(value).every((item) => typeof item === 'string' || typeof item === 'number')
