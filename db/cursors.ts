import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { InvalidCursor } from './errors.ts'

/** A key of cursors: its id and 32 bytes that serve no other purpose. */
export interface CursorKey {
  kid: string
  key: Buffer
}

/** Makes and reads the opaque, signed places in a list at which a walk goes on. */
export interface Cursors {
  /** The place behind the row with these sort values (what JSON can say). `scope` names the list, its order, its filters and whose it is. */
  seal(scope: string, values: readonly unknown[]): string
  /**
   * The sort values of a place.
   *
   * @throws InvalidCursor when it was forged, or sealed for another scope. Nothing is looked up for it.
   */
  open(scope: string, cursor: string): unknown[]
}

/** What the host hands to the routes whose lists are walked by cursor. */
export interface CursorOptions {
  cursors: Cursors
}

const ALGORITHM = 'aes-256-gcm'
const NONCE_BYTES = 12
const TAG_BYTES = 16

/**
 * `<kid>.<nonce, ciphertext, tag>`: encrypted as well as signed, because sort values include internal keys and what the
 * selected columns may not show. The scope is authenticated and not sent. The first key seals, all open.
 */
export function createCursors(keys: CursorKey[]): Cursors {
  const [sealing] = keys
  if (sealing === undefined) throw new Error('cursors: keys must name at least one key')
  const byKid = new Map(keys.map(({ kid, key }) => [kid, key]))

  return {
    seal(scope, values) {
      const nonce = randomBytes(NONCE_BYTES)
      const cipher = createCipheriv(ALGORITHM, sealing.key, nonce, { authTagLength: TAG_BYTES }).setAAD(
        Buffer.from(scope)
      )
      const sealed = [nonce, cipher.update(JSON.stringify(values)), cipher.final(), cipher.getAuthTag()]
      return `${sealing.kid}.${Buffer.concat(sealed).toString('base64url')}`
    },

    open(scope, cursor) {
      const [kid = '', text = ''] = cursor.split('.')
      const key = byKid.get(kid)
      const sealed = Buffer.from(text, 'base64url')
      if (key === undefined || sealed.length < NONCE_BYTES + TAG_BYTES) throw new InvalidCursor()
      // The last character has bits that decoding ignores: a cursor has one spelling.
      if (sealed.toString('base64url') !== text) throw new InvalidCursor()
      const nonce = sealed.subarray(0, NONCE_BYTES)
      const decipher = createDecipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_BYTES })
        .setAAD(Buffer.from(scope))
        .setAuthTag(sealed.subarray(-TAG_BYTES))
      const plain = decipher.update(sealed.subarray(NONCE_BYTES, -TAG_BYTES))
      try {
        decipher.final()
      } catch {
        throw new InvalidCursor()
      }
      return JSON.parse(plain.toString())
    }
  }
}
