import { createHmac, createSecretKey, type KeyObject, timingSafeEqual } from 'node:crypto'

/** A key of refresh tokens: its id and at least 32 bytes that serve no other purpose. */
export interface SessionKey {
  kid: string
  key: Buffer
}

/** What a genuine refresh token says. */
export interface RefreshTokenContent {
  sessionId: string
  counter: number
}

export interface RefreshTokens {
  issue(content: RefreshTokenContent): string
  /** `null` when the token is not one of ours. Pure computation: nothing is looked up for a forged one. */
  read(token: string): RefreshTokenContent | null
  isForged(token: string): boolean
}

const FORMAT =
  /^(rt_([\w-]{1,32})\.([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\.(0|[1-9]\d{0,9}))\.([\w-]{43})$/

/** `rt_<kid>.<session id>.<counter>.<HMAC-SHA256>`: nothing secret has to be stored to recognise it or to make it again. */
export function refreshTokens(keys: SessionKey[]): RefreshTokens {
  const [signing] = keys
  if (signing === undefined) throw new Error('sessions: keys must name at least one key')
  for (const { kid, key } of keys) {
    if (!/^[\w-]{1,32}$/.test(kid)) throw new Error('sessions: a kid has 1 to 32 letters, digits, "_" and "-"')
    if (key.length < 32) throw new Error(`sessions: key ${kid} must have at least 32 bytes`)
  }
  const signingKey = createSecretKey(signing.key)
  const byKid = new Map(keys.map(({ kid, key }) => [kid, createSecretKey(key)]))
  if (byKid.size !== keys.length) throw new Error('sessions: no kid may appear twice')

  function read(token: string): RefreshTokenContent | null {
    const [, text = '', kid = '', sessionId = '', counter, mac = ''] = FORMAT.exec(token) ?? []
    const key = byKid.get(kid)
    if (key === undefined) return null
    // As text, so that no second spelling of the same bytes passes. Both have 43 characters.
    if (!timingSafeEqual(Buffer.from(mac), Buffer.from(authenticate(text, key)))) return null
    return { sessionId, counter: Number(counter) }
  }

  return {
    issue({ sessionId, counter }) {
      const text = `rt_${signing.kid}.${sessionId}.${counter}`
      return `${text}.${authenticate(text, signingKey)}`
    },

    read,

    isForged(token) {
      const [, , kid] = FORMAT.exec(token) ?? []
      return token !== '' && (kid === undefined || byKid.has(kid)) && read(token) === null
    }
  }
}

const authenticate = (text: string, key: KeyObject) => createHmac('sha256', key).update(text).digest('base64url')
