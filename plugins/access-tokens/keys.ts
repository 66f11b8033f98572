import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'

/** A key that signs and verifies access tokens, always by its one algorithm. */
export type AccessTokenKey = SymmetricKey | AsymmetricKey

export interface SymmetricKey {
  /** Written into the token's header; one key alone may do without. */
  kid?: string
  algorithm: 'HS256'
  /** At least 32 bytes. */
  secret: string | Buffer
}

export interface AsymmetricKey {
  /** Written into the token's header and published with the public key. */
  kid: string
  algorithm: 'EdDSA' | 'ES256' | 'RS256'
  /** Ed25519, P-256, or RSA of at least 2048 bits, after the algorithm; a string is PEM. */
  privateKey: KeyObject | string
}

/** The public half of a key as RFC 7517 §4 writes it; the members after `alg` are those of its kind (RFC 7518 §6, RFC 8037 §2). */
export interface PublicJwk {
  kid: string
  use: 'sig'
  alg: AsymmetricKey['algorithm']
  kty?: string
  crv?: string
  x?: string
  y?: string
  n?: string
  e?: string
}

/** What would make a key unfit, or `undefined`. Shows nothing of it. */
export function keyProblem(key: AccessTokenKey): string | undefined {
  if (key.kid !== undefined && !/^[\w.-]{1,64}$/.test(key.kid)) return 'a kid has 1 to 64 of [A-Za-z0-9_.-]'
  if (key.algorithm === 'HS256') {
    return Buffer.byteLength(key.secret) < 32 ? 'a secret must have at least 32 bytes' : undefined
  }
  if (!Object.hasOwn(demands, key.algorithm)) return 'the algorithm must be HS256, EdDSA, ES256 or RS256'
  if (key.kid === undefined) return `an ${key.algorithm} key needs a kid`
  const { fits, text } = demands[key.algorithm]
  const privateKey = readPrivateKey(key)
  return privateKey !== undefined && fits(privateKey) ? undefined : `${key.algorithm} needs ${text}`
}

/** RFC 7518 §3.3 and §3.4, RFC 8037 §3.1. A PSS or another curve's key would sign, but not what the algorithm says. */
const demands: Record<AsymmetricKey['algorithm'], { fits(key: KeyObject): boolean; text: string }> = {
  EdDSA: { fits: (key) => key.asymmetricKeyType === 'ed25519', text: 'an Ed25519 private key' },
  ES256: {
    fits: (key) => key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === 'prime256v1',
    text: 'a P-256 private key'
  },
  RS256: {
    fits: (key) => key.asymmetricKeyType === 'rsa' && (key.asymmetricKeyDetails?.modulusLength ?? 0) >= 2048,
    text: 'an RSA private key of at least 2048 bits'
  }
}

function readPrivateKey({ privateKey }: AsymmetricKey): KeyObject | undefined {
  try {
    const key = typeof privateKey === 'string' ? createPrivateKey(privateKey) : privateKey
    return key.type === 'private' ? key : undefined
  } catch {
    return undefined
  }
}

/** Both halves as PEM. */
export function pemOf({ privateKey }: AsymmetricKey): { private: string; public: string } {
  const key = typeof privateKey === 'string' ? createPrivateKey(privateKey) : privateKey
  return {
    private: key.export({ type: 'pkcs8', format: 'pem' }).toString(),
    public: createPublicKey(key).export({ type: 'spki', format: 'pem' }).toString()
  }
}

/** The public halves. A symmetric key has none. */
export function publicJwks(keys: AccessTokenKey[]): PublicJwk[] {
  return keys
    .filter((key) => key.algorithm !== 'HS256')
    .map((key) => ({
      ...createPublicKey(pemOf(key).public).export({ format: 'jwk' }),
      kid: key.kid,
      use: 'sig',
      alg: key.algorithm
    }))
}
