import { createPrivateKey, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import { type AccessTokenKey, keyProblem } from '../plugins/access-tokens/keys.ts'
import { newKid } from './keys.ts'

export type JwtAlgorithm = AccessTokenKey['algorithm']

interface JwtVariables {
  JWT_KEYS?: string
  JWT_SECRET?: string
}

/** The keys of access tokens: `JWT_KEYS`, or in the simple case `JWT_SECRET`, which has no kid. */
export const jwtKeys = (variables: JwtVariables): AccessTokenKey[] => parseJwtKeys(jwtEntries(variables).join()).keys

/** The same as the entries of `JWT_KEYS`. */
export function jwtEntries({ JWT_KEYS, JWT_SECRET }: JwtVariables): string[] {
  if (JWT_KEYS !== undefined) return JWT_KEYS.split(',')
  return JWT_SECRET === undefined ? [] : [`:HS256:${Buffer.from(JWT_SECRET).toString('base64url')}`]
}

/** Parses `JWT_KEYS` (`kid:algorithm:base64,…`); `problem` names every fault by position and shows no value. */
export function parseJwtKeys(text: string): { keys: AccessTokenKey[]; problem?: string } {
  const keys: AccessTokenKey[] = []
  const problems: string[] = []
  for (const [index, entry] of text.split(',').entries()) {
    const key = readEntry(entry.trim())
    const problem = typeof key === 'string' ? key : (keyProblem(key) ?? duplicate(key, keys))
    if (problem !== undefined) problems.push(`key ${index + 1}: ${problem}`)
    if (typeof key !== 'string') keys.push(key)
  }
  return problems.length > 0 ? { keys: [], problem: problems.join('; ') } : { keys }
}

/** A fresh entry of `JWT_KEYS`. */
export function generateJwtKey(algorithm: JwtAlgorithm): string {
  return `${newKid()}:${algorithm}:${generators[algorithm]().toString('base64url')}`
}

const generators: Record<JwtAlgorithm, () => Buffer> = {
  HS256: () => randomBytes(32),
  EdDSA: () => pkcs8(generateKeyPairSync('ed25519')),
  ES256: () => pkcs8(generateKeyPairSync('ec', { namedCurve: 'P-256' })),
  RS256: () => pkcs8(generateKeyPairSync('rsa', { modulusLength: 2048 }))
}

const pkcs8 = ({ privateKey }: { privateKey: KeyObject }) => privateKey.export({ type: 'pkcs8', format: 'der' })

const duplicate = ({ kid }: AccessTokenKey, others: AccessTokenKey[]) =>
  others.some((other) => other.kid === kid) ? 'has the kid of another key' : undefined

/** One entry, or what is wrong with it. A private key is PKCS #8, as DER or as the PEM file that openssl writes. */
function readEntry(entry: string): AccessTokenKey | string {
  const [kid, algorithm, encoded = '', rest] = entry.split(':')
  if (rest !== undefined || !/^[\w+/-]+=*$/.test(encoded)) return 'must be kid:algorithm:base64'
  const bytes = Buffer.from(encoded, 'base64')
  if (algorithm === 'HS256') return { ...(kid && { kid }), algorithm, secret: bytes }
  if (algorithm !== 'EdDSA' && algorithm !== 'ES256' && algorithm !== 'RS256') {
    return 'the algorithm must be HS256, EdDSA, ES256 or RS256'
  }
  if (!kid) return `an ${algorithm} key needs a kid`
  try {
    const isPem = bytes.toString('latin1', 0, 5) === '-----'
    const privateKey = createPrivateKey(isPem ? bytes : { key: bytes, format: 'der', type: 'pkcs8' })
    return { kid, algorithm, privateKey }
  } catch {
    return 'is no private key in PKCS #8'
  }
}
