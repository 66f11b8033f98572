import { DatabaseBusy, DatabaseUnavailable, sqlstateOf } from './errors.ts'

/**
 * 08 and 57P01–57P05: the server ended the session or refuses new ones. 25006: it takes no writes, as after a
 * failover the old primary, to which only old connections lead.
 */
const SESSION_ENDED = /^(08|57P0[1-5]|25006)/
/** node-postgres has no codes for these. */
const CONNECTION_LOST =
  /^(Connection terminated|Client (was closed|has encountered a)|Query read timeout|timeout expired)/

/** Whether the connection that failed with `error` is of no more use to anyone. */
export function isConnectionLost(error: Error): boolean {
  const sqlstate = sqlstateOf(error)
  if (sqlstate !== undefined) return SESSION_ENDED.test(sqlstate)
  return 'syscall' in error || CONNECTION_LOST.test(error.message)
}

/** For a failed statement: a lost connection is 503, everything else is the driver's error as it is. */
export const statementError = (error: Error): Error =>
  isConnectionLost(error) ? new DatabaseUnavailable({ cause: error }) : error

/** For a connection that could not be had. */
export const acquireError = (error: Error): Error =>
  error.message === 'timeout exceeded when trying to connect'
    ? new DatabaseBusy({ cause: error })
    : new DatabaseUnavailable({ cause: error })
