import { createCipheriv, createDecipheriv } from 'node:crypto'
import Fastify from 'fastify'
import t, { type Test } from 'tap'
import { DecryptionFailed, type EncryptionKey, encryptionPlugin } from '../../../plugins/encryption/index.ts'

const key = (kid: string, fill: number): EncryptionKey => ({ kid, key: Buffer.alloc(32, fill) })
const context = 'users.phone:42'

async function start(t: Test, ...keys: EncryptionKey[]) {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(encryptionPlugin, { keys })
  return app.encryption
}

t.test('what is encrypted is decrypted, whatever the text, and never twice the same', async (t) => {
  const { encrypt, decrypt } = await start(t, key('k1', 1))
  for (const plain of ['', 'a', '+49 30 123456', 'ü\u0000😀', 'x'.repeat(100_000)]) {
    t.equal(decrypt(encrypt(plain, context), context), plain)
  }
  const all = new Set(Array.from({ length: 100 }, () => encrypt('same', context)))
  t.equal(all.size, 100)
  for (const one of all) t.notMatch(Buffer.from(one.slice(6), 'base64url').toString('latin1'), /same/)
})

t.test('it is AES-256-GCM: by hand both ways, and a test vector of its specification', async (t) => {
  const { encrypt, decrypt } = await start(t, key('k1', 1))
  const [, , text = ''] = encrypt('by the plugin', context).split('.')
  const sealed = Buffer.from(text, 'base64url')
  const decipher = createDecipheriv('aes-256-gcm', Buffer.alloc(32, 1), sealed.subarray(0, 12))
  decipher.setAAD(Buffer.from(context)).setAuthTag(sealed.subarray(-16))
  t.equal(decipher.update(sealed.subarray(12, -16)).toString() + decipher.final().toString(), 'by the plugin')

  const nonce = Buffer.alloc(12, 9)
  const cipher = createCipheriv('aes-256-gcm', Buffer.alloc(32, 1), nonce).setAAD(Buffer.from(context))
  const byHand = Buffer.concat([nonce, cipher.update('by hand'), cipher.final(), cipher.getAuthTag()])
  t.equal(decrypt(`v1.k1.${byHand.toString('base64url')}`, context), 'by hand')

  // McGrew and Viega, test case 14: a zero key, a zero nonce, sixteen zero bytes.
  const zero = await start(t, key('zero', 0))
  const vector = Buffer.from(
    `${'00'.repeat(12)}cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919`,
    'hex'
  )
  t.equal(zero.decrypt(`v1.zero.${vector.toString('base64url')}`, ''), '\0'.repeat(16))
})

t.test('after a rotation the new key encrypts, the old ones decrypt, and what is to be renewed is known', async (t) => {
  const old = await start(t, key('k1', 1))
  const { encrypt, decrypt, needsRotation } = await start(t, key('k2', 2), key('k1', 1))
  const stored = old.encrypt('secret', context)

  t.equal(decrypt(stored, context), 'secret')
  t.equal(needsRotation(stored), true)
  const renewed = encrypt('secret', context)
  t.match(renewed, /^v1\.k2\./)
  t.equal(needsRotation(renewed), false)
  t.throws(() => old.decrypt(renewed, context), DecryptionFailed, 'a key that is not there')
})

t.test('every altered bit, every other context, key and form is the same one error', async (t) => {
  const { encrypt, decrypt } = await start(t, key('k1', 1), key('k2', 2))
  const stored = encrypt('secret', context)
  const [version, kid, text = ''] = stored.split('.')
  const refused = (encrypted: string, within = context) =>
    t.throws(() => decrypt(encrypted, within), { code: 'DECRYPTION_FAILED', statusCode: 500 }, encrypted)

  const sealed = Buffer.from(text, 'base64url')
  for (let bit = 0; bit < sealed.length * 8; bit++) {
    const altered = Buffer.from(sealed)
    altered[bit >> 3] = (altered[bit >> 3] ?? 0) ^ (1 << (bit & 7))
    refused(`v1.k1.${altered.toString('base64url')}`)
  }
  for (const within of ['', 'users.phone:43', 'users.name:42', `${context} `]) refused(stored, within)
  for (const other of [
    ...[`v1.k2.${text}`, `v1.k3.${text}`, `v1.__proto__.${text}`, `v2.${kid}.${text}`, `${version}.${kid}`],
    ...['', '.', '..', 'v1.k1.', 'secret', `${stored}.`, `${stored}=`, `${stored} `, `v1.k1.${text.slice(0, 36)}`],
    ...[`v1.k1. ${text}`, `v1.k1.${sealed.subarray(0, -1).toString('base64url')}`]
  ]) {
    refused(other)
  }
})

t.test('keys that would weaken it are refused at the start', async (t) => {
  await t.rejects(start(t), /at least one key/)
  await t.rejects(start(t, { kid: 'k1', key: Buffer.alloc(31) }), /k1 must have 32 bytes/)
  await t.rejects(start(t, key('k1', 1), key('k1', 2)), /k1 is named twice/)
  await t.rejects(start(t, key('a.b', 1)), /a kid has/)
})
