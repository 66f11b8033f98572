import { createHmac, randomBytes } from 'node:crypto'
import type { FastifyRequest, preHandlerAsyncHookHandler } from 'fastify'
import { LRUCache } from 'lru-cache'
import { DocsUnauthorized } from './errors.ts'

/** Says whether these credentials may read the documentation. What it throws is answered as it is (503, 429 …). */
export type CheckCredentials = (username: string, password: string, request: FastifyRequest) => Promise<boolean>

const REMEMBERED = 100
const REMEMBER_MS = 10_000

/**
 * A hook that lets a request pass with HTTP Basic credentials (RFC 7617) which `check` accepts, and throws
 * {@link DocsUnauthorized} with the challenge otherwise.
 * @param now milliseconds, any origin above 0
 */
export function basicAuth(check: CheckCredentials, now: () => number): preHandlerAsyncHookHandler {
  const isAccepted = remember(check, now)
  return async (request) => {
    const credentials = parseBasic(request.headers.authorization)
    if (credentials && (await isAccepted(...credentials, request))) return
    throw Object.assign(new DocsUnauthorized(), {
      headers: { 'WWW-Authenticate': 'Basic realm="docs", charset="UTF-8"', 'Cache-Control': 'no-store' }
    })
  }
}

/**
 * A page brings ten requests with the same credentials: one password hash serves them all, also those in flight.
 * A yes is kept for ten seconds under a keyed hash, so no password stays in memory; a no is not kept.
 */
function remember(check: CheckCredentials, now: () => number): CheckCredentials {
  const secret = randomBytes(32)
  const verdicts = new LRUCache<string, Promise<boolean>>({
    max: REMEMBERED,
    ttl: REMEMBER_MS,
    ttlResolution: 0,
    perf: { now }
  })
  return async (username, password, request) => {
    // A username holds no colon, so the joined text is unambiguous.
    const key = createHmac('sha256', secret).update(`${username}:${password}`).digest('base64')
    const known = verdicts.get(key)
    if (known) return known
    const verdict = check(username, password, request)
    verdicts.set(key, verdict)
    const isKept = await verdict.catch(() => false)
    if (!isKept) verdicts.delete(key)
    return verdict
  }
}

function parseBasic(header: string | undefined): [username: string, password: string] | undefined {
  const token = header?.match(/^basic +([A-Za-z0-9+/]+={0,2})$/i)?.[1]
  if (token === undefined) return
  const text = Buffer.from(token, 'base64').toString('utf8')
  const colon = text.indexOf(':')
  // Neither part may hold control characters (RFC 7617 §2).
  if (colon < 1 || /\p{Cc}/u.test(text)) return
  return [text.slice(0, colon), text.slice(colon + 1)]
}
