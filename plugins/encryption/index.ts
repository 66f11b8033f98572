import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { DecryptionFailed } from './errors.ts'

export interface EncryptionKey {
  /** Names the key in what it encrypted: `[A-Za-z0-9_-]{1,32}`. */
  kid: string
  /** 32 bytes that serve no other purpose. */
  key: Buffer
}

export interface EncryptionOptions {
  /** The first encrypts, all decrypt. To rotate, put a new one in front and keep the old ones while values need them. */
  keys: EncryptionKey[]
}

export interface Encryption {
  /**
   * Encrypts a field. `context` says whose it is, e.g. `users.phone:<id>`: the same has to be given to decrypt, so that a
   * value copied into another row or column is refused. It is not stored.
   */
  encrypt(plain: string, context: string): string
  /** @throws DecryptionFailed when the value was altered, is of another context or of an unknown key */
  decrypt(encrypted: string, context: string): string
  /** Whether it was encrypted with another key than the first: encrypt it anew when it is written next. */
  needsRotation(encrypted: string): boolean
}

declare module 'fastify' {
  interface FastifyInstance {
    encryption: Encryption
  }
}

const ALGORITHM = 'aes-256-gcm'
const VERSION = 'v1'
const NONCE_BYTES = 12
const TAG_BYTES = 16

async function encryption(app: FastifyInstance, { keys }: EncryptionOptions): Promise<void> {
  const [first] = Array.isArray(keys) ? keys : []
  if (first === undefined) throw new Error('encryption: keys must name at least one key')
  const byKid = new Map<string, Buffer>()
  for (const { kid, key } of keys) {
    if (!/^[\w-]{1,32}$/.test(kid)) throw new Error('encryption: a kid has 1 to 32 of A–Z, a–z, 0–9, "_" and "-"')
    if (key.length !== 32) throw new Error(`encryption: key ${kid} must have 32 bytes`)
    if (byKid.has(kid)) throw new Error(`encryption: kid ${kid} is named twice`)
    byKid.set(kid, key)
  }
  const prefix = `${VERSION}.${first.kid}.`

  app.decorate('encryption', {
    encrypt(plain, context) {
      const nonce = randomBytes(NONCE_BYTES)
      const cipher = createCipheriv(ALGORITHM, first.key, nonce, { authTagLength: TAG_BYTES })
      cipher.setAAD(Buffer.from(context))
      const sealed = Buffer.concat([nonce, cipher.update(plain, 'utf8'), cipher.final(), cipher.getAuthTag()])
      return prefix + sealed.toString('base64url')
    },

    decrypt(encrypted, context) {
      const [version, kid = '', text = '', ...rest] = encrypted.split('.')
      const key = byKid.get(kid)
      const sealed = Buffer.from(text, 'base64url')
      // Decoding skips what is no base64url: only the one spelling that we wrote is taken.
      const isCanonical = rest.length === 0 && sealed.toString('base64url') === text
      if (version !== VERSION || key === undefined || !isCanonical || sealed.length < NONCE_BYTES + TAG_BYTES) {
        throw new DecryptionFailed()
      }
      const decipher = createDecipheriv(ALGORITHM, key, sealed.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES })
      decipher.setAAD(Buffer.from(context)).setAuthTag(sealed.subarray(-TAG_BYTES))
      const plain = decipher.update(sealed.subarray(NONCE_BYTES, -TAG_BYTES))
      try {
        // Nothing of `plain` is used before this has checked the tag.
        return Buffer.concat([plain, decipher.final()]).toString()
      } catch {
        throw new DecryptionFailed()
      }
    },

    needsRotation: (encrypted) => !encrypted.startsWith(prefix)
  })
}

export const encryptionPlugin = fp(encryption, { name: 'encryption', fastify: '5.x' })
export default encryptionPlugin
export { DecryptionFailed }
