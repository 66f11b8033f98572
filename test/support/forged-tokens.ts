import { createHmac, createPrivateKey, type KeyObject } from 'node:crypto'
import { type JWTHeaderParameters, SignJWT } from 'jose'
import { generateJwtKey, type JwtAlgorithm } from '../../src/jwt-keys.ts'

/** A key as an independent library takes it, and as an entry of `JWT_KEYS`. */
export interface SigningKey {
  kid: string
  alg: JwtAlgorithm
  key: Buffer | KeyObject
  entry: string
}

export function signingKey(alg: JwtAlgorithm): SigningKey {
  const entry = generateJwtKey(alg)
  const [kid = '', , encoded = ''] = entry.split(':')
  const bytes = Buffer.from(encoded, 'base64url')
  const key = alg === 'HS256' ? bytes : createPrivateKey({ key: bytes, format: 'der', type: 'pkcs8' })
  return { kid, alg, key, entry }
}

/** A token by an independent library, with the key's own algorithm and kid unless `header` says otherwise. */
export const forge = (claims: object, { kid, alg, key }: SigningKey, header: Partial<JWTHeaderParameters> = {}) =>
  new SignJWT({ ...claims }).setProtectedHeader({ alg, kid, typ: 'at+jwt', ...header }).sign(key)

/** Any header and payload under an HMAC: what no honest library would make. */
export function signRaw(header: object, payload: object, secret: string | Buffer): string {
  const input = [header, payload].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`
}

/** (r, n − s) for (r, s): what anybody can make of an ECDSA signature on P-256, and as valid. */
export function secondSignature(token: string): string {
  const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
  const [header, payload, signature = ''] = token.split('.')
  const bytes = Buffer.from(signature, 'base64url')
  const s = order - BigInt(`0x${bytes.subarray(32).toString('hex')}`)
  const twin = Buffer.concat([bytes.subarray(0, 32), Buffer.from(s.toString(16).padStart(64, '0'), 'hex')])
  return `${header}.${payload}.${twin.toString('base64url')}`
}
