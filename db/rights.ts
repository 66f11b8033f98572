import { type Kysely, sql, type Transaction } from 'kysely'
import { LastAdmin } from './errors.ts'
import type { Database } from './types.ts'

/** What somebody may do, or a role lets them do. */
export interface Rights {
  permissions: readonly string[]
  is_admin: boolean
}

/** Who can sign in, beside being active. */
export interface SignInRules {
  /** Nobody before their e-mail address is verified. */
  requireVerifiedEmail: boolean
}

/** Stands for the administrator's flag among the permissions that a caller lacks. */
export const ADMIN = 'admin'

/**
 * What the caller lacks of these rights. Who lacks something may neither hand it on, nor take it away, nor touch who has
 * it: whoever could change an account's e-mail address could take it over.
 */
export function lackedBy(caller: Rights, { permissions, is_admin }: Rights): string[] {
  if (caller.is_admin) return []
  const missing = permissions.filter((code) => !caller.permissions.includes(code))
  return is_admin ? [ADMIN, ...missing] : missing
}

/**
 * Runs a change that may take away the last administrator, and refuses it if it did. The lock lets such changes pass one
 * by one, each seeing what those before it committed; it is taken first, so that two cannot wait for each other.
 *
 * @throws LastAdmin
 */
export async function keepingAnAdmin<T>(
  trx: Transaction<Database>,
  rules: SignInRules,
  change: () => Promise<T>
): Promise<T> {
  await trx.selectFrom('roles').select('id').where('is_admin', '=', true).orderBy('id').forNoKeyUpdate().execute()
  const hadOne = await hasAdmin(trx, rules)
  const result = await change()
  if (hadOne && !(await hasAdmin(trx, rules))) throw new LastAdmin()
  return result
}

/** Whether somebody who can sign in is an administrator. */
async function hasAdmin(db: Kysely<Database>, { requireVerifiedEmail }: SignInRules): Promise<boolean> {
  const { rows } = await sql`
    select from roles
    join user_roles on user_roles.role_id = roles.id
    join users on users.id = user_roles.user_id
    where roles.is_admin and roles.is_active and users.is_active and users.deleted_at is null
      and (users.is_verified or not ${requireVerifiedEmail}) limit 1`.execute(db)
  return rows.length > 0
}
