import { STATUS_CODES } from 'node:http'
import type { FieldError } from './schema.ts'

/** What an answer tells about an error: public in every part. */
export interface Fault {
  status: number
  error_code: string
  message: string
  errors?: FieldError[]
  solution?: string
  /** Further public members of the body. */
  details?: Record<string, unknown>
  /** Members of problem details alone, e.g. `type` and `title` of a registered problem type (RFC 9457 §4.2). */
  problem?: Record<string, unknown>
  headers?: Record<string, string | number>
  /** The whole body, in place of ours. */
  body?: object
}

/** What nobody meant for a caller. */
export const internalFault: Fault = {
  status: 500,
  error_code: 'INTERNAL_SERVER_ERROR',
  message: 'Internal server error'
}
const shortNames: Record<number, string> = { 422: 'UNPROCESSABLE', 503: 'UNAVAILABLE' }

/** The fault that says no more than its status. */
export function statusFault(status: number): Fault {
  const phrase = STATUS_CODES[status]
  if (phrase === undefined || status < 400 || status === 500) return internalFault
  const error_code = shortNames[status] ?? phrase.toUpperCase().replace(/[^A-Z]+/g, '_')
  return { status, error_code, message: phrase.charAt(0) + phrase.slice(1).toLowerCase() }
}
