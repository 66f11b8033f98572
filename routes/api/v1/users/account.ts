import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Transaction } from 'kysely'
import { lackedBy } from '../../../../db/rights.ts'
import type { Database } from '../../../../db/types.ts'
import { normalizeEmail, normalizeUsername } from '../../../../db/users.ts'
import { denyMissing } from '../../../../plugins/auth/errors.ts'
import { invalid, NotFound } from '../../../../plugins/envelope/errors.ts'
import {
  type AccountFields,
  findDormantRights,
  findUser,
  hideUser,
  lockUser,
  removeUser,
  updateUser
} from './queries.ts'

/** @throws 422 for an impossible username */
export function normalizeNames<T extends { username?: string; email?: string }>(fields: T): T {
  const username = fields.username === undefined ? undefined : normalizeUsername(fields.username)
  if (username === null) throw invalid('username', 'must have 3 to 30 of a–z, 0–9, "_", "." and "-"')
  return {
    ...fields,
    ...(username !== undefined && { username }),
    ...(fields.email !== undefined && { email: normalizeEmail(fields.email) })
  }
}

/** The locked user, if the caller has all rights that they have: otherwise a new address would take their account over. */
export async function lockSubordinate(
  trx: Transaction<Database>,
  request: FastifyRequest,
  id: string,
  which?: Parameters<typeof lockUser>[2]
) {
  const user = await lockUser(trx, id, which)
  if (user === undefined) throw new NotFound('User not found')
  denyMissing(lackedBy(request.caller, await findDormantRights(trx, user.user_id)))
  return user
}

/**
 * Changes an account of somebody else, which is locked. Deactivating ends its sessions; a new address is unverified unless the call says
 * otherwise, and the old one is told. Run it inside `keepingAnAdmin`.
 */
export async function changeAccount(
  app: FastifyInstance,
  trx: Transaction<Database>,
  request: FastifyRequest,
  before: Awaited<ReturnType<typeof lockSubordinate>>,
  sent: AccountFields
) {
  // The id of the row: the one in the request may be spelt in upper case, and names nothing in the change feed then.
  const { id, user_id, username } = before
  const isMoved = sent.email !== undefined && sent.email !== before.email
  const changes = { ...(isMoved && { is_verified: false }), ...sent }
  await updateUser(trx, user_id, changes)
  if (changes.username !== undefined) dropPosts(app, trx, username)
  if (changes.is_active === false) await app.sessions.revokeAll(trx, user_id, 'deactivated')
  await app.changes.record(trx, 'user', id)
  const details = app.audit.difference(before, changes, shownFields)
  await app.audit.record(trx, { action: 'user.updated', ...targetOf(id), details, request })
  const user = await findUser(trx, id)
  if (user === undefined) throw new Error('A locked user is there')
  if (isMoved) {
    await app.audit.record(trx, { action: 'email.changed', ...targetOf(id), request })
    await app.jobs.enqueue(trx, 'mail.notice', { letter: 'email_changed', to: before.email, username: user.username })
    await askToVerify(app, trx, request, user)
  }
  return user
}

/** Mails a link to an address that nobody vouched for. */
export async function askToVerify(
  app: FastifyInstance,
  trx: Transaction<Database>,
  request: FastifyRequest,
  { email, is_verified }: { email: string; is_verified: boolean }
): Promise<void> {
  if (is_verified) return
  await app.jobs.enqueue(trx, 'mail.verify_email', { email, origin: app.audit.originOf(request) })
}

/** Ends an account and all that was done in its name; run it inside `keepingAnAdmin`. */
export async function closeAccount(
  app: FastifyInstance,
  trx: Transaction<Database>,
  request: FastifyRequest,
  { id, user_id, username }: { id: string; user_id: number; username: string },
  { hard }: { hard: boolean }
): Promise<void> {
  await app.sessions.revokeAll(trx, user_id, 'deleted')
  await app.apiKeys.revokeAll(trx, user_id)
  if (hard) {
    await removeUser(trx, user_id)
    await app.idempotency.forget(trx, id)
    // Their items go with the row. Which ones nobody has to look up: it happens rarely enough to read all anew.
    app.database.afterCommit(trx, () => app.cache.invalidate('items', 'items:single'))
  } else await hideUser(trx, user_id)
  dropPosts(app, trx, username)
  await app.changes.record(trx, 'user', id)
  await app.audit.record(trx, { action: 'user.deleted', ...targetOf(id), details: { hard }, request })
}

/** Posts are cached under the name of their author, which is free for another one now. */
export function dropPosts(app: FastifyInstance, trx: Transaction<Database>, username: string): void {
  app.database.afterCommit(trx, () => app.cache.invalidate(`user:${username}`, `user:${username}:posts`))
}

/** What the audit log tells of an account besides names of fields; the address and the name go when the account goes. */
export const shownFields: Array<'username' | 'is_active' | 'is_verified'> = ['username', 'is_active', 'is_verified']

export const targetOf = (id: string) => ({ target_type: 'user', target_id: id })
