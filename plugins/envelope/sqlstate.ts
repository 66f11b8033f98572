import type { Fault } from './fault.ts'
import type { FieldError } from './schema.ts'

/** What `pg` (and PGlite by itself) puts on an error of the server. */
interface DatabaseError {
  /** E.g. `Key (email)=(a@b.c) already exists.`: the columns may be told, the values not. */
  detail?: unknown
  column?: unknown
}

const unavailable: Fault = {
  status: 503,
  error_code: 'UNAVAILABLE',
  message: 'The service is temporarily unavailable',
  headers: { 'Retry-After': '1' }
}

const contended: Fault = { ...unavailable, message: 'The request took too long, try again' }

const retry: Fault = {
  status: 409,
  error_code: 'CONFLICT_RETRY',
  message: 'Another change got in between, try again',
  headers: { 'Retry-After': '1' }
}

const conflict: Fault = {
  status: 409,
  error_code: 'CONFLICT',
  message: 'A related record is missing or still refers to this one'
}

const refused: Fault = { status: 422, error_code: 'VALIDATION_FAILED', message: 'A value is not acceptable' }

/**
 * The fault behind an SQLSTATE (PostgreSQL manual, appendix A), or nothing where it is ours to mend. Classes that start
 * with a letter are left out, and so is never mistaken what the system calls `EPIPE` or `EPERM`.
 */
export function sqlFault(code: string, error: DatabaseError): Fault | undefined {
  if (!/^\d[\dA-Z]{4}$/.test(code)) return undefined
  switch (code) {
    case '23505':
      return duplicate(columnsOf(error.detail))
    case '23502':
      return missing(error.column)
    case '23514':
      return refused
    case '40001':
    case '40P01':
      return retry
    case '25006': // a standby: the primary is moving
      return unavailable
    case '55P03': // lock_timeout
    case '57014': // statement_timeout
      return contended
  }
  if (code.startsWith('22')) return refused
  if (code.startsWith('23')) return conflict
  if (/^(08|53|57P)/.test(code)) return unavailable
  return undefined
}

function duplicate(columns: string[]): Fault {
  const fault: Fault = { status: 409, error_code: 'DUPLICATE', message: 'Such a record already exists' }
  if (columns.length === 0) return fault
  const errors: FieldError[] = columns.map((field) => ({ field, message: 'is already taken' }))
  return { ...fault, message: `A record with this ${columns.join(' and ')} already exists`, errors }
}

function missing(column: unknown): Fault {
  if (typeof column !== 'string') return refused
  return { ...refused, message: 'Validation failed', errors: [{ field: column, message: 'is required' }] }
}

/**
 * The columns that `detail` names before the values: `Key (org_id, lower(email::text))=(…)` → `org_id`, `email`. The words
 * around the parentheses depend on the language of the server.
 */
function columnsOf(detail: unknown): string[] {
  const key = typeof detail === 'string' ? /\((.*?)\)=\(/.exec(detail)?.[1] : undefined
  if (key === undefined) return []
  const names = key.match(/(?<!::|\w)[a-z_]\w*(?![\w(])/gi) ?? []
  return [...new Set(names)]
}
