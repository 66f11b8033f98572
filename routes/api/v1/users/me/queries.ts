import type { Kysely, Transaction } from 'kysely'
import { compiled } from '../../../../../db/compiled.ts'
import type { Database } from '../../../../../db/types.ts'
import { userColumns } from '../../../../../db/users.ts'
import { Unauthorized } from '../../../../../plugins/envelope/errors.ts'

interface Me {
  id: string
  roles: readonly string[]
  permissions: readonly string[]
}

const selectMe = compiled(
  (db: Kysely<Database>, { id }: { id: string }) =>
    db.selectFrom('users').select(userColumns).where('public_id', '=', id).where('deleted_at', 'is', null),
  { shortRead: true }
)

/**
 * The caller's row; roles and permissions were loaded with the caller.
 *
 * @throws Unauthorized when the account was deleted a moment ago
 */
export async function findMe(db: Kysely<Database>, { id, roles, permissions }: Me) {
  const user = await selectMe.executeTakeFirst(db, { id })
  if (user === undefined) throw new Unauthorized('This account no longer exists')
  return { ...user, roles: [...roles], permissions: [...permissions] }
}

export async function updateMe(
  trx: Transaction<Database>,
  { id }: Me,
  changes: { username?: string; name?: string | null; profile_image_url?: string | null }
): Promise<void> {
  await trx.updateTable('users').set(changes).where('public_id', '=', id).where('deleted_at', 'is', null).execute()
}
