import { hkdfSync, randomBytes } from 'node:crypto'

/** A key of our own: its id and at least 32 bytes. */
export interface AppKey {
  kid: string
  key: Buffer
}

/** Parses `APP_KEYS` (`kid:base64url,…`); `problem` says what is wrong without showing a value. */
export function parseAppKeys(text: string): { keys: AppKey[]; problem?: string } {
  const keys: AppKey[] = []
  for (const part of text.split(',')) {
    const [kid = '', secret = '', rest] = part.trim().split(':')
    const key = Buffer.from(secret, 'base64url')
    if (rest !== undefined || !/^[\w-]{1,32}$/.test(kid)) return { keys, problem: 'must be a list of kid:base64url' }
    if (!/^[\w+/=-]+$/.test(secret) || key.length < 32) return { keys, problem: 'needs at least 32 bytes in each key' }
    if (keys.some((other) => other.kid === kid)) return { keys, problem: 'names one kid twice' }
    keys.push({ kid, key })
  }
  return { keys }
}

/** A fresh entry of `APP_KEYS`. */
export const generateAppKey = () => `${newKid()}:${randomBytes(32).toString('base64url')}`

/** A kid that tells when its key was made. */
export const newKid = () => `${new Date().toISOString().slice(0, 10)}-${randomBytes(3).toString('hex')}`

/** Whether a secret is a placeholder, or too uniform to be random: few characters, a sequence, or a part that repeats. */
export function isGuessable(secret: string | Buffer): boolean {
  const bytes = Buffer.from(secret)
  const text = bytes.toString('latin1')
  const neighbours = bytes.filter((byte, index) => Math.abs(byte - (bytes[index - 1] ?? -2)) <= 1).length
  const isSequence = 2 * neighbours > bytes.length
  const doubled = text + text
  const isRepetition = doubled.indexOf(text, 1) < text.length
  return (
    new Set(text).size < 12 ||
    isSequence ||
    isRepetition ||
    /change.?(me|this)|password|secret|example|default/i.test(text)
  )
}

/** Keys for one purpose (HKDF-SHA256, RFC 5869): a key leaked from one purpose says nothing about another. */
export function derivedKeys(appKeys: string, purpose: string): AppKey[] {
  return parseAppKeys(appKeys).keys.map(({ kid, key }) => ({
    kid,
    key: Buffer.from(hkdfSync('sha256', key, '', `plinth:${purpose}`, 32))
  }))
}
