import { createHash, randomBytes } from 'node:crypto'
import { type Kysely, sql, type Transaction } from 'kysely'
import type { AccountTokensTable, Database } from './types.ts'

export type TokenPurpose = AccountTokensTable['purpose']

/** Minutes that a token is good for. */
const LIFETIME_MINUTES = { verify_email: 24 * 60, reset_password: 30, change_email: 60 }
/** Mails of one purpose that an account gets in an hour, whoever asks for them. */
const MAX_PER_HOUR = 5
/** Days that dead tokens stay, to be counted. */
const KEPT_DAYS = 1

const ownerColumns = [
  'users.id as user_id',
  'users.public_id as id',
  'users.username',
  'users.email',
  'users.password_hash',
  'users.is_verified'
] as const

export interface TokenOwner {
  user_id: number
  /** Public id. */
  id: string
  username: string
  email: string
  password_hash: string
  is_verified: boolean
}

/** The live and active user with this e-mail address or public id. */
export function findTokenOwner(
  db: Kysely<Database>,
  by: { email: string } | { id: string }
): Promise<TokenOwner | undefined> {
  const users = activeUsers(db)
  const owner = 'id' in by ? users.where('users.public_id', '=', by.id) : users.where('users.email', '=', by.email)
  return owner.executeTakeFirst()
}

export interface NewToken {
  purpose: TokenPurpose
  owner: TokenOwner
  /** Where it is mailed to, in lower case. */
  to: string
  /** Its further attempts make further tokens, all of them good: who knows which of their mails arrived. */
  jobId: string
}

/** Makes a token and keeps its hash; `null` when the account had its mails for now. */
export async function issueToken(
  trx: Transaction<Database>,
  { purpose, owner, to, jobId }: NewToken
): Promise<string | null> {
  // Held, so that of many jobs at once each counts what the others have made.
  await trx.selectFrom('users').select('id').where('id', '=', owner.user_id).forNoKeyUpdate().execute()
  const { count } = await trx
    .selectFrom('account_tokens')
    .select((eb) => eb.fn.count<number>('job_id').distinct().as('count'))
    .where('user_id', '=', owner.user_id)
    .where('purpose', '=', purpose)
    .where('job_id', '!=', jobId)
    .where('created_at', '>', sql<string>`clock_timestamp() - interval '1 hour'`)
    .executeTakeFirstOrThrow()
  if (count >= MAX_PER_HOUR) return null
  const token = randomBytes(32).toString('base64url')
  await trx
    .insertInto('account_tokens')
    .values({
      token_hash: digest(token),
      user_id: owner.user_id,
      purpose,
      email: to,
      bound_to: bindingOf(purpose, owner),
      job_id: jobId,
      expires_at: sql<string>`clock_timestamp() + make_interval(mins => ${LIFETIME_MINUTES[purpose]})`
    })
    .execute()
  return token
}

/** Whose token it is, as long as it is good. It stays so: for what has to be known before it is used. */
export async function findToken(
  db: Kysely<Database>,
  purpose: TokenPurpose,
  token: string
): Promise<TokenOwner | undefined> {
  const found = await activeUsers(db)
    .innerJoin('account_tokens', 'account_tokens.user_id', 'users.id')
    .select('account_tokens.bound_to')
    .where('token_hash', '=', digest(token))
    .where('purpose', '=', purpose)
    .where('used_at', 'is', null)
    .where('expires_at', '>', sql<string>`clock_timestamp()`)
    .executeTakeFirst()
  return found?.bound_to === (found && bindingOf(purpose, found)) ? found : undefined
}

/**
 * Uses a token up: of any number of calls at once, one succeeds. The owner's row is held until the transaction ends, and
 * `mailed_to` is the address that the token was mailed to. `undefined` when it is not or no longer good; then roll back.
 */
export async function useToken(trx: Transaction<Database>, purpose: TokenPurpose, token: string) {
  const used = await trx
    .updateTable('account_tokens')
    .set({ used_at: sql<string>`clock_timestamp()` })
    .where('token_hash', '=', digest(token))
    .where('purpose', '=', purpose)
    .where('used_at', 'is', null)
    .where('expires_at', '>', sql<string>`clock_timestamp()`)
    .returning(['user_id', 'email', 'bound_to'])
    .executeTakeFirst()
  if (used === undefined) return undefined
  const owner = await activeUsers(trx).where('users.id', '=', used.user_id).forNoKeyUpdate().executeTakeFirst()
  if (owner === undefined || bindingOf(purpose, owner) !== used.bound_to) return undefined
  return { ...owner, mailed_to: used.email }
}

/** Deletes at most `limit` tokens that are dead for a while; returns how many. */
export async function pruneTokens(db: Kysely<Database>, limit: number): Promise<number> {
  const { numDeletedRows } = await db
    .deleteFrom('account_tokens')
    .where('token_hash', 'in', (query) =>
      query
        .selectFrom('account_tokens')
        .select('token_hash')
        .where('expires_at', '<', sql<string>`clock_timestamp() - make_interval(days => ${KEPT_DAYS})`)
        .orderBy('expires_at')
        .limit(limit)
    )
    .executeTakeFirstOrThrow()
  return Number(numDeletedRows)
}

function activeUsers(db: Kysely<Database>) {
  return db
    .selectFrom('users')
    .select(ownerColumns)
    .where('users.is_active', '=', true)
    .where('users.deleted_at', 'is', null)
}

/**
 * What must not have changed between the mail and its use: the address, and where more than the address is at stake, the
 * password. So a new password ends whatever somebody else had begun.
 */
export function bindingOf(
  purpose: TokenPurpose,
  { email, password_hash }: Pick<TokenOwner, 'email' | 'password_hash'>
) {
  return digest(purpose === 'verify_email' ? email : `${email}\n${password_hash}`)
}

const digest = (text: string) => createHash('sha256').update(text).digest('base64url')
