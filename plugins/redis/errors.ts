import { createError } from '@fastify/error'

/**
 * Redis could not be asked, or did not answer in time: 503 with `Retry-After`. `cause` is what happened.
 * Whoever has another way to answer (memory, the database) catches it; whoever has none lets it through. It has no stack:
 * during an outage every request makes some of these, and `cause` says more.
 */
export const RedisUnavailable = createError('REDIS_UNAVAILABLE', 'Service temporarily unavailable', 503, Error, false)
Object.assign(RedisUnavailable.prototype, { headers: Object.freeze({ 'Retry-After': '1' }) })

/** No answer within the deadline. */
export const DeadlineExceeded = createError('REDIS_DEADLINE_EXCEEDED', 'No answer within %d ms', 503, Error, false)

// Replies of a server that is up but of no use now. Redis 6 wraps those met inside a script: `… @user_script: 1: -OOM …`.
const outageReply =
  /(?:^|: -)(?:READONLY|OOM|LOADING|BUSY|MISCONF|NOREPLICAS|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|MOVED|ASK|NOAUTH|WRONGPASS)\b/

// ioredis tells most of its own failures apart by text only.
const outageMessage =
  /^(?:Connection is closed|Command timed out|Command aborted|Stream isn't writeable|Socket timeout|Cluster (?:isn't ready|is ended|is disconnect)|Too many Cluster redirections|None of startup nodes)/
const outageName = new Set(['MaxRetriesPerRequestError', 'ClusterAllFailedError'])
const outageCode = /^(?:ECONN|EHOST|ENET|EPIPE$|ETIMEDOUT$|ENOTFOUND$|EAI_AGAIN$|REDIS_DEADLINE_EXCEEDED$)/

/**
 * Tells an outage from an error the caller made (WRONGTYPE, NOSCRIPT, an error raised by a script, a bug in the callback).
 * See https://redis.io/docs/latest/develop/reference/protocol-spec/#simple-errors for the prefixes.
 */
export function isOutage(error: unknown): error is Error {
  if (!(error instanceof Error)) return false
  if (error.name === 'ReplyError') return outageReply.test(error.message)
  if (outageName.has(error.name) || outageMessage.test(error.message)) return true
  return 'code' in error && typeof error.code === 'string' && outageCode.test(error.code)
}

/** ioredis hangs the command and its arguments on an error; they may be secret and have no place in a log. */
export function hideCommand(error: unknown): void {
  if (error instanceof Error && 'command' in error) Object.defineProperty(error, 'command', { enumerable: false })
}

/** What to log of an outage. */
export function reasonOf(error: Error): string {
  if (error.message !== '') return error.message
  // A host name with several addresses fails with an AggregateError that has a code and no text.
  return 'code' in error ? String(error.code) : error.name
}
