/** What an access token says (after RFC 9068). It carries no roles: who may do what is looked up. */
export interface Claims {
  /** Public id of the user. */
  sub: string
  /** The session the token belongs to. */
  sid: string
  /** Id of this token. */
  jti: string
  /** Seconds since 1970. */
  iat: number
  /** Seconds since 1970. */
  exp: number
}

/** What every token of ours has to say. */
export interface Expected {
  issuer: string
  audience: string
}

/** Clocks of two machines may differ by this much before a token from "the future" is refused. */
const SKEW_SECONDS = 5

/**
 * The claims of a payload whose signature was right, or what is wrong with them. fast-jwt by itself passes claims that are
 * missing, of another type, or issued in the future.
 */
export function readClaims(payload: Record<string, unknown>, expected: Expected, nowSeconds: number): Claims | string {
  const { sub, sid, jti, iat, exp, nbf = 0, iss, aud } = payload
  if (iss !== expected.issuer) return 'iss'
  if (aud !== expected.audience) return 'aud'
  if (!isText(sub)) return 'sub'
  if (!isText(sid)) return 'sid'
  if (!isText(jti)) return 'jti'
  if (!isTime(exp)) return 'exp'
  if (!isTime(iat) || iat > nowSeconds + SKEW_SECONDS) return 'iat'
  if (!isTime(nbf) || nbf > nowSeconds + SKEW_SECONDS) return 'nbf'
  return { sub, sid, jti, iat, exp }
}

const isText = (value: unknown): value is string => typeof value === 'string' && value !== ''
const isTime = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value)
