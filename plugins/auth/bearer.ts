import type { IncomingMessage } from 'node:http'

/**
 * The Bearer token of a request (RFC 6750 §2.1), from nowhere but its header. `undefined`: none was sent. Whatever is
 * not exactly one token is handed on as it is or as an empty one, for the verification to refuse.
 */
export function bearerToken({ headers, rawHeaders }: IncomingMessage): string | undefined {
  const { authorization } = headers
  if (authorization === undefined) return undefined
  // Of two Authorization headers Node keeps the first or joins both; a proxy in front may have judged the second.
  if (isRepeated(rawHeaders)) return ''
  if (authorization.startsWith('Bearer ')) return authorization.slice(7)
  if (/^bearer(?: |$)/i.test(authorization)) return authorization.slice(7)
  return undefined
}

function isRepeated(rawHeaders: string[]): boolean {
  let count = 0
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]
    if (name?.length === 13 && name.toLowerCase() === 'authorization') count++
  }
  return count > 1
}
