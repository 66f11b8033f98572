import type { Kysely } from 'kysely'
import type { Database } from '../../db/types.ts'
import { rolesOfUser } from '../../db/users.ts'

/** The oldest `limit` users that are not deleted. */
export function listUsers(db: Kysely<Database>, limit: number) {
  return db
    .selectFrom('users')
    .select(['users.public_id as id', 'users.username', 'users.email', 'users.is_active', 'users.is_verified'])
    .select([rolesOfUser.as('roles'), 'users.created_at'])
    .where('users.deleted_at', 'is', null)
    .orderBy('users.id')
    .limit(limit)
    .execute()
}
