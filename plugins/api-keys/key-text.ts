import { createHash, randomBytes, randomUUID, timingSafeEqual } from 'node:crypto'
import { crc32 } from 'node:zlib'

/** What a well-formed key claims; whether it is one of ours is for the table to say. */
export interface KeyProof {
  /** The id of the row: a UUID. */
  id: string
  /** SHA-256 of the whole key, base64url. */
  hash: string
}

const SECRET_BYTES = 24

export interface KeyTexts {
  /** A new key, with a new id or the one of the key that it replaces. */
  create(id?: string): { text: string } & KeyProof
  /** `null` unless form and checksum are right. No I/O. */
  read(text: string): KeyProof | null
}

/**
 * `<prefix>_<id>_<secret>_<checksum>`: 32, 48 and 8 hexadecimal digits. The checksum (CRC-32) is no secret: typing errors and
 * random noise are told without a query, and scanners for leaked secrets can tell a key from other text.
 */
export function keyTexts(prefix: string): KeyTexts {
  const length = prefix.length + 91
  const form = new RegExp(`^${prefix}_([0-9a-f]{32})_[0-9a-f]{48}_[0-9a-f]{8}$`)

  return {
    create(id = randomUUID()) {
      const body = `${prefix}_${id.replaceAll('-', '')}_${randomBytes(SECRET_BYTES).toString('hex')}`
      const text = `${body}_${checksumOf(body)}`
      return { text, id, hash: hashOf(text) }
    },
    read(text) {
      if (text.length !== length) return null
      const digits = form.exec(text)?.[1]
      if (digits === undefined || checksumOf(text.slice(0, -9)) !== text.slice(-8)) return null
      return { id: digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-'), hash: hashOf(text) }
    }
  }
}

/** In constant time. */
export function isSameHash(one: string, other: string): boolean {
  return one.length === other.length && timingSafeEqual(Buffer.from(one), Buffer.from(other))
}

const checksumOf = (body: string) => crc32(body).toString(16).padStart(8, '0')

/** One pass is enough for 192 random bits: nobody can try them all, however fast. */
const hashOf = (text: string) => createHash('sha256').update(text).digest('base64url')
