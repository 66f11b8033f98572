import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Transaction } from 'kysely'
import { confirmPassword } from '../../../../db/credentials.ts'
import type { SignInRules } from '../../../../db/rights.ts'
import type { Database } from '../../../../db/types.ts'
import { findUserByIdentifier, normalizeIdentifier } from '../../../../db/users.ts'
import { AccountInactive, EmailNotVerified, InvalidCredentials } from './errors.ts'

/**
 * Proves the password and opens a session. An unknown identifier costs the same time as a wrong password, and whether
 * an account is deactivated or unverified is told only to who knows its password.
 *
 * @throws InvalidCredentials | AccountInactive | EmailNotVerified | LockedOut | PasswordsBusy
 */
export async function signIn(app: FastifyInstance, request: FastifyRequest, credentials: Credentials) {
  // Of two at once, the first may have put a better hash in the place of the one that the second has verified.
  const signedIn = (await attempt(app, request, credentials)) ?? (await attempt(app, request, credentials))
  if (signedIn === undefined) throw new InvalidCredentials()
  return signedIn
}

type Credentials = SignInRules & { identifier: string; password: string }

/** `undefined`: the hash changed, or the account was closed, while the password was being proven. */
async function attempt(
  app: FastifyInstance,
  request: FastifyRequest,
  { identifier, password, requireVerifiedEmail }: Credentials
) {
  const proven = await app.lockout.attempt(request, normalizeIdentifier(identifier), async () => {
    const found = await findUserByIdentifier(app.db, identifier)
    const { valid, rehash } = await app.passwords.verify(found?.password_hash ?? null, password)
    const isVerified = found?.is_verified || !requireVerifiedEmail
    if (found && valid && found.is_active && isVerified) return { found, rehash }
    const account = found ?? { identifier }
    await app.audit.recordFailure(app.db, { action: 'sign_in.failed', account, request })
    if (found && valid) throw found.is_active ? new EmailNotVerified() : new AccountInactive()
    return null
  })
  if (proven === null) throw new InvalidCredentials()

  const { found, rehash } = proven
  const { user_id, password_hash, ...user } = found
  // Nothing was waited for since the verification ended, so its place in the queue for hashes is still free.
  const upgraded = rehash ? await app.passwords.hash(password) : password_hash
  const session = await app.database.transaction(async (trx: Transaction<Database>) => {
    if (!(await confirmPassword(trx, user_id, password_hash, upgraded))) return undefined
    const created = await app.sessions.create(trx, { user_id, ...client(request) })
    const about = { actor_id: user.id, target_type: 'session', request }
    await app.audit.record(trx, { action: 'sign_in.succeeded', target_id: created.id, ...about })
    for (const target_id of created.ended) {
      await app.audit.record(trx, { action: 'session.revoked', target_id, details: { reason: 'limit' }, ...about })
    }
    return created
  })
  if (session === undefined) return undefined
  const { token, expiresIn } = app.accessTokens.sign({ sub: user.id, sid: session.id })
  return { user, refreshToken: session.refreshToken, tokens: bearer(token, expiresIn) }
}

/** The members of a token answer that RFC 6749 §5.1 names. */
export const bearer = (access_token: string, expires_in: number) =>
  ({ access_token, token_type: 'Bearer', expires_in }) as const

/** What a session remembers of its client. */
export const client = (request: FastifyRequest) => ({
  user_agent: request.headers['user-agent'] ?? null,
  ip: request.ip
})
