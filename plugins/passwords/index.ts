import { randomBytes } from 'node:crypto'
import { availableParallelism } from 'node:os'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type {} from '../metrics/index.ts'
import { PasswordRefused, PasswordsBusy } from './errors.ts'
import { type Argon2Options, argon2Hasher, type PasswordHasher } from './hasher.ts'
import { createPolicy, type PasswordOwner, type PolicyOptions } from './policy.ts'
import { createSlots } from './slots.ts'

export interface PasswordsOptions extends Argon2Options, PolicyOptions {
  /** Hashes computed at once. Default: the number of cores. */
  concurrency?: number
  /** Callers that may wait for a slot; beyond them `PasswordsBusy`. Default 64. */
  queue?: number
  /** Replaces argon2 (then its parameters are yours). */
  hasher?: PasswordHasher
}

export interface Passwords {
  /** @throws PasswordRefused | PasswordsBusy */
  hash(plain: string): Promise<string>
  /**
   * Whether `plain` is the password behind `hash`, and whether that hash should be replaced by a stronger one.
   * `null` (no such user) takes the same time and is never valid. Too long a password is refused unhashed.
   *
   * @throws PasswordsBusy
   */
  verify(hash: string | null, plain: string): Promise<{ valid: boolean; rehash: boolean }>
  /** What is wrong with a new password, as a sentence for its owner; `null` when it is acceptable. */
  problem(plain: string, owner?: PasswordOwner): string | null
}

declare module 'fastify' {
  interface FastifyInstance {
    passwords: Passwords
  }
}

async function passwords(app: FastifyInstance, options: PasswordsOptions): Promise<void> {
  const { concurrency = availableParallelism(), queue = 64, hasher = argon2Hasher(options) } = options
  const { minLength = 8, maxLength = 128 } = options
  requireInteger('concurrency', concurrency, 1)
  requireInteger('queue', queue, 0)
  requireInteger('minLength', minLength, 1)
  requireInteger('maxLength', maxLength, minLength)
  const policy = createPolicy(options)
  const slots = createSlots(concurrency, queue)
  // Made with the same parameters as real hashes, so that an unknown user costs what a wrong password costs.
  const dummyHash = await hasher.hash(randomBytes(32).toString('base64url'))

  app.decorate('passwords', {
    async hash(plain) {
      const text = policy.normalize(plain)
      if (text === null) throw new PasswordRefused()
      return slots.run(() => hasher.hash(text))
    },

    async verify(hash, plain) {
      const text = policy.normalize(plain)
      if (text === null) return { valid: false, rehash: false }
      const matches = await slots.run(() => hasher.verify(hash ?? dummyHash, text))
      const valid = matches && hash !== null
      return { valid, rehash: valid && hasher.needsRehash(hash) }
    },

    problem: policy.problem
  })

  if (app.hasDecorator('metrics')) {
    app.metrics.gauge('password_queue_length', 'Password hashes waiting for a slot', slots.waiting)
  }
}

function requireInteger(name: string, value: number, min: number): void {
  if (!Number.isSafeInteger(value) || value < min) throw new Error(`passwords: ${name} must be an integer ≥ ${min}`)
}

export const passwordsPlugin = fp(passwords, { name: 'passwords', fastify: '5.x' })
export default passwordsPlugin
export type { PasswordHasher, PasswordOwner }
export { PasswordRefused, PasswordsBusy }
