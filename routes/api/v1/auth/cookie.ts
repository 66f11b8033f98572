import type { FastifyReply, FastifyRequest } from 'fastify'
import { CrossSiteRequest, TwoRefreshTokens } from './errors.ts'

/** How the refresh cookie is set and from where it is accepted. */
export interface RefreshCookieOptions {
  secure: boolean
  sameSite: 'lax' | 'strict' | 'none'
  maxAgeSeconds: number
  /** Origins besides the request's own that may use the cookie. */
  origins: readonly string[]
}

const NAME = 'refresh_token'

/** The refresh token's cookie: set, read and cleared with the same attributes (RFC 6265 §5.3). */
export function refreshCookie({ secure, sameSite, maxAgeSeconds, origins }: RefreshCookieOptions) {
  const attributes = { path: '/api/v1/auth', httpOnly: true, secure, sameSite }

  return {
    set: (reply: FastifyReply, token: string) => reply.setCookie(NAME, token, { ...attributes, maxAge: maxAgeSeconds }),

    clear: (reply: FastifyReply) => reply.clearCookie(NAME, attributes),

    /**
     * The one refresh token of a request: its cookie or what its body brought.
     *
     * @throws CrossSiteRequest when another site's page made the browser send the cookie
     * @throws TwoRefreshTokens when there are both: they may belong to two people
     */
    read(request: FastifyRequest, fromBody: string | undefined): string | undefined {
      const fromCookie = request.cookies[NAME]
      if (fromCookie === undefined) return fromBody
      if (!isFromHere(request, origins)) throw new CrossSiteRequest()
      if (fromBody !== undefined) throw new TwoRefreshTokens()
      return fromCookie
    }
  }
}

export type RefreshCookie = ReturnType<typeof refreshCookie>

/** Fetch metadata where the browser sends it, else the origin; a cookie with neither did not come from a page of ours. */
function isFromHere(request: FastifyRequest, origins: readonly string[]): boolean {
  const { origin, 'sec-fetch-site': site } = request.headers
  if (origin !== undefined && origins.includes(origin)) return true
  if (site !== undefined) return site === 'same-origin' || site === 'same-site'
  return origin === `${request.protocol}://${request.host}`
}
