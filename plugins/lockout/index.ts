import { createHmac, createSecretKey, randomBytes, randomUUID } from 'node:crypto'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type {} from '../metrics/index.ts'
import { clientName } from './client.ts'
import { LockedOut } from './errors.ts'
import type { Rule } from './ledger.ts'
import { memoryStore } from './memory-store.ts'
import type { Attempt, LockoutStore } from './store.ts'

export interface LockoutOptions {
  /** Failed proofs that lock a client out, 1 to 1000. Default 5. */
  maxAttempts?: number
  /** How long a client is locked out, and how long a failure counts, in seconds. Default 900. */
  durationSeconds?: number
  /** Default: `memoryStore()`. */
  store?: LockoutStore
  /**
   * At least 32 bytes that serve this purpose alone, the same in all processes. The store knows accounts by a hash under it
   * only: what people type into that field is a password now and then. Required with a `store`; default random.
   */
  key?: Buffer | undefined
  /** Addresses from which an account's owner is, or lately was, signed in. Asked only when they would have to wait. */
  familiarAddresses?(account: string): Promise<readonly string[]>
  /** Hears of a lock before the failure that caused it is answered, e.g. to record it. */
  onLocked?(lock: Lock): Promise<void> | void
}

export interface Lock {
  /** `client`: it gets no further attempt for a while. `account`: whoever is not familiar has to wait between attempts. */
  scope: 'client' | 'account'
  /** An IPv4 address, or the /64 of an IPv6 address. */
  client: string
  /** As it was given to `attempt`; `null` when the last failure was about none. */
  account: string | null
  /** The last failure. */
  request: FastifyRequest
}

export interface Lockout {
  /**
   * Runs `proof` as one of the attempts that the client of `request` has. Resolves to what was proven, or to `null` when the
   * proof failed, which counts. What it throws (too busy, database out) proves nothing either way and does not count.
   * A success takes back what this client failed on this account before, and nothing else.
   *
   * @param account what the proof is about, always in the same spelling; one that does not exist is treated like any other
   * @throws LockedOut without running `proof`
   */
  attempt<T>(request: FastifyRequest, account: string, proof: () => Promise<T | null>): Promise<T | null>
  /**
   * Counts a proof that took no waiting and has failed: a bad signature, an unknown key. One that holds is not reported.
   *
   * @throws LockedOut when the client was locked out before
   */
  fail(request: FastifyRequest): Promise<void>
}

declare module 'fastify' {
  interface FastifyInstance {
    lockout: Lockout
  }
}

/** The place in a ledger that an attempt holds. */
interface Hold {
  scope: Lock['scope']
  ledger: string
  attempt: Attempt
  rule: Rule
}

async function lockout(app: FastifyInstance, options: LockoutOptions): Promise<void> {
  const { maxAttempts = 5, durationSeconds = 900, store = memoryStore(), key = randomBytes(32) } = options
  const { familiarAddresses, onLocked } = options
  requireInteger('maxAttempts', maxAttempts, 1, 1000)
  requireInteger('durationSeconds', durationSeconds, 1, 604_800)
  if (options.store && !options.key) throw new Error('lockout: a shared store needs a key, the same in all processes')
  if (key.length < 32) throw new Error('lockout: key must have at least 32 bytes')

  // Prepared once: from a buffer each hash would cost five times as much.
  const secret = createSecretKey(key)
  const windowMs = durationSeconds * 1000
  const clientRule: Rule = { limit: maxAttempts, windowMs, maxDelayMs: 0 }
  // Twice what one client can fail before it is locked out: nobody slows an account down for others from one address.
  const accountRule: Rule = { limit: 2 * maxAttempts, windowMs, maxDelayMs: 60_000 }

  const refused = app.hasDecorator('metrics')
    ? app.metrics.counter('lockout_refused_total', 'Attempts refused because others failed before.', ['scope'])
    : undefined

  async function attempt<T>(request: FastifyRequest, account: string | null, proof: () => Promise<T | null>) {
    const client = clientName(request.ip)
    const name = account === null ? '' : createHmac('sha256', secret).update(account).digest('base64url').slice(0, 22)
    const id = randomUUID()
    const holds: Hold[] = []

    async function enter(scope: Lock['scope'], of: string, by: string, rule: Rule, isExempt = async () => false) {
      const hold = { scope, ledger: `${scope}:${of}`, attempt: { id, by }, rule }
      const waitMs = await store.enter(hold.ledger, hold.attempt, rule)
      if (waitMs === 0) holds.push(hold)
      else if (!(await isExempt())) {
        refused?.inc({ scope })
        throw new LockedOut(waitMs)
      }
    }

    let proven: T | null
    try {
      await enter('client', client, name, clientRule)
      if (account !== null) await enter('account', name, client, accountRule, () => isFamiliar(account, client))
      proven = await proof()
    } catch (error) {
      await Promise.all(holds.map((hold) => takeBack(hold, false)))
      throw error
    }
    // Whoever has proven it need not wait until that is noted.
    if (proven !== null) void Promise.all(holds.map((hold) => takeBack(hold, true))).catch(noteError(request))
    else await Promise.all(holds.map((hold) => fail(hold, { client, account, request })))
    return proven
  }

  async function isFamiliar(account: string, client: string): Promise<boolean> {
    const addresses = await familiarAddresses?.(account)
    return addresses?.some((address) => clientName(address) === client) ?? false
  }

  async function takeBack({ ledger, attempt, rule }: Hold, isProven: boolean): Promise<void> {
    await store.takeBack(ledger, attempt, rule, isProven)
  }

  const noteError =
    ({ log }: FastifyRequest) =>
    (err: unknown) =>
      log.error({ err }, 'An attempt was not taken back')

  async function fail({ scope, ledger, attempt, rule }: Hold, failure: Omit<Lock, 'scope'>): Promise<void> {
    const isLocked = await store.fail(ledger, attempt, rule)
    if (!isLocked) return
    failure.request.log.warn({ client: failure.client, scope }, 'Locked after too many failed attempts')
    await onLocked?.({ scope, ...failure })
  }

  const countFailure = async (request: FastifyRequest) => void (await attempt(request, null, async () => null))
  app.decorate('lockout', { attempt, fail: countFailure })
}

function requireInteger(name: string, value: number, min: number, max: number): void {
  if (Number.isSafeInteger(value) && value >= min && value <= max) return
  throw new Error(`lockout: ${name} must be an integer from ${min} to ${max}`)
}

export const lockoutPlugin = fp(lockout, { name: 'lockout', fastify: '5.x' })
export default lockoutPlugin
export { type MemoryStoreOptions, memoryStore } from './memory-store.ts'
export { redisStore } from './redis-store.ts'
export type { Attempt, LockoutStore, Rule }
export { LockedOut }
