import { argon2id, hash, needsRehash, verify } from 'argon2'

/** What does the hashing. Replace it to use another implementation of the same hashes (`@node-rs/argon2`). */
export interface PasswordHasher {
  hash(plain: string): Promise<string>
  verify(hash: string, plain: string): Promise<boolean>
  /** Whether the hash was made with other parameters than today's. */
  needsRehash(hash: string): boolean
}

export interface Argon2Options {
  /** Memory of one hash in KiB. Default 19456 (OWASP). */
  memoryKiB?: number
  /** Passes over the memory. Default 2. */
  timeCost?: number
  /** Lanes, each a thread. Default 1. */
  parallelism?: number
}

/** Argon2id (RFC 9106) as PHC strings, on libuv's thread pool. */
export function argon2Hasher({ memoryKiB = 19_456, timeCost = 2, parallelism = 1 }: Argon2Options): PasswordHasher {
  // RFC 9106 §3.1
  if (!Number.isSafeInteger(memoryKiB) || memoryKiB < 8 * parallelism)
    throw new Error('passwords: memoryKiB must be an integer ≥ 8 × parallelism')
  const parameters = { memoryCost: memoryKiB, timeCost, parallelism }
  return {
    hash: (plain) => hash(plain, { ...parameters, type: argon2id }),
    verify: (hashed, plain) => verify(hashed, plain),
    needsRehash: (hashed) => !hashed.startsWith('$argon2id$') || needsRehash(hashed, parameters)
  }
}
