import { createError } from '@fastify/error'

const Busy = createError('DATABASE_BUSY', 'The database is busy, try again', 503)
const Unavailable = createError('DATABASE_UNAVAILABLE', 'The database is unavailable', 503)
const TimedOut = createError('TRANSACTION_TIMEOUT', 'The transaction took too long and was rolled back', 503)

const retrySoon = { 'Retry-After': '1' }

/** No connection became free within `acquireTimeoutMs`. */
export class DatabaseBusy extends Busy {
  readonly headers = retrySoon
}

/** The connection was refused, lost or silent; the driver's error is the `cause`. */
export class DatabaseUnavailable extends Unavailable {
  readonly headers = retrySoon
}

/** A transaction outlived `transactionTimeoutMs`; nothing of it remains. */
export class TransactionTimeout extends TimedOut {
  readonly headers = retrySoon
}

/** A fault of the program: the outer `db`, or another transaction, was used inside a transaction. */
export const InsideTransaction = createError('INSIDE_TRANSACTION', 'Inside a transaction: pass trx', 500)

/** A fault of the program: a statement or callback came after the work of its transaction had settled. */
export const TransactionOver = createError(
  'TRANSACTION_OVER',
  'The transaction is over (a missing await?) or was not begun by database.transaction()',
  500
)

/** A fault of the program: what `request.write` runs is one statement that writes. */
export const NotOneStatement = createError(
  'NOT_ONE_STATEMENT',
  'request.write runs exactly one INSERT, UPDATE or DELETE; anything else needs request.transaction',
  500
)

/** A fault of the program: a route that declares `audit` or `idempotent` went round `request.transaction` and `request.write`. */
export const OutsideTransaction = createError(
  'OUTSIDE_TRANSACTION',
  '%s %s declares audit or idempotent, but answered without request.transaction or request.write',
  500
)

/** SQLSTATE of a database's error: each has a digit in it, the system's own codes (`EPIPE`) have none. */
export function sqlstateOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return undefined
  return /^(?=.*\d)[0-9A-Z]{5}$/.test(error.code) ? error.code : undefined
}

/** The server's plan for a named statement is gone or out of date; nothing was run. */
export function isStaleStatement(error: unknown): boolean {
  const sqlstate = sqlstateOf(error)
  if (sqlstate === '26000') return true
  return sqlstate === '0A000' && error instanceof Error && error.message.startsWith('cached plan must not change')
}
