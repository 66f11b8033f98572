import { randomBytes } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'

const ACCEPTED = /^[\w-]{1,64}$/

/** Tells this process's ids from those of every other one; a counter behind it is all a request has to pay for. */
const processPrefix = randomBytes(6).toString('hex')
let count = 0

/**
 * Fastify's `genReqId`: the caller's `X-Request-ID` if it is 1 to 64 letters, digits, `_` or `-`, else an id of our own.
 * Anything else a caller sends never reaches a log line or a header.
 */
export function requestId(raw: { headers: IncomingHttpHeaders }): string {
  const given = raw.headers['x-request-id']
  if (typeof given === 'string' && ACCEPTED.test(given)) return given
  count += 1
  return `${processPrefix}-${count.toString(36)}`
}
