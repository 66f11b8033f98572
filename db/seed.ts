import type { Transaction } from 'kysely'
import type { Database } from './types.ts'
import { insertUser, normalizeEmail, normalizeUsername } from './users.ts'

/** Sign-ins that exist only in `ENVIRONMENT=local`, on embedded storage or after `npm run seed -- --demo`. */
export const demoUsers = [
  { email: 'admin@example.com', username: 'admin', name: 'Demo Admin', password: 'Admin-demo-1', role: 'admin' },
  { email: 'demo@example.com', username: 'demo', name: 'Demo User', password: 'User-demo-1', role: 'user' }
] as const

export interface Account {
  email: string
  username: string
  name: string | null
  password: string
  role: string
  tier: string
}

type Transact = <T>(fn: (trx: Transaction<Database>) => Promise<T>) => Promise<T>

/**
 * Creates the account unless its e-mail address or username is taken, also by a process that starts at the same moment.
 * An existing account is never touched. `furnish` adds what a new one starts with, in the same transaction.
 *
 * @returns whether it was created
 */
export async function ensureAccount(
  transaction: Transact,
  hash: (password: string) => Promise<string>,
  account: Account,
  furnish?: (trx: Transaction<Database>, userId: number) => Promise<unknown>
): Promise<boolean> {
  const username = normalizeUsername(account.username)
  if (username === null) throw new Error('a username has 3 to 30 of a–z, 0–9, "_", "." and "-"')
  const email = normalizeEmail(account.email)
  if (await transaction((trx) => isTaken(trx, email, username))) return false
  const user = { email, username, name: account.name, password_hash: await hash(account.password), is_verified: true }
  const insert = async (trx: Transaction<Database>) => {
    const { user_id } = await insertUser(trx, user, account.role, account.tier)
    await furnish?.(trx, user_id)
  }
  return transaction(insert).then(
    () => true,
    (error) => {
      if (error.code === '23505') return false
      throw error
    }
  )
}

async function isTaken(trx: Transaction<Database>, email: string, username: string): Promise<boolean> {
  const row = await trx
    .selectFrom('users')
    .select('id')
    .where((eb) => eb.or([eb('email', '=', email), eb('username', '=', username)]))
    .where('deleted_at', 'is', null)
    .executeTakeFirst()
  return row !== undefined
}

/** Adds the demo users, each with a todo to look at; existing ones stay as they are. */
export async function seedDemo(
  transaction: Transact,
  hash: (password: string) => Promise<string>,
  tier: string
): Promise<number> {
  let created = 0
  for (const user of demoUsers) {
    const isNew = await ensureAccount(transaction, hash, { ...user, tier }, (trx, owner_id) =>
      trx.insertInto('todos').values({ owner_id, title: 'Read the documentation at /docs' }).execute()
    )
    if (isNew) created += 1
  }
  return created
}
