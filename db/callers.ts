import { type Kysely, sql } from 'kysely'
import { compiled } from './compiled.ts'
import { isAdminUser, permissionsOfUser } from './permissions.ts'
import type { Database } from './types.ts'
import { rolesOfUser } from './users.ts'

/** Who is calling: the user and the session behind an access token. */
export interface Caller {
  /** Public id of the user. */
  id: string
  /** Internal key of the user, for joins. */
  user_id: number
  username: string
  roles: string[]
  /** Codes; of an administrator, all. */
  permissions: readonly string[]
  is_admin: boolean
  session_id: string
}

declare module '../plugins/auth/index.ts' {
  interface Principal extends Caller {}
}

/** Of inactive roles too: activating one changes what the caller may do. */
const roleIdsOfUser = sql<string[]>`array(
  select roles.public_id from user_roles join roles on roles.id = user_roles.role_id
  where user_roles.user_id = users.id)`

const selectCaller = compiled(
  (db: Kysely<Database>, { sid, sub }: { sid: string; sub: string }) =>
    db
      .selectFrom('sessions')
      .innerJoin('users', 'users.id', 'sessions.user_id')
      .select([
        'users.public_id as id',
        'users.id as user_id',
        'users.username',
        'sessions.id as session_id',
        'sessions.expires_at',
        rolesOfUser.as('roles'),
        permissionsOfUser.as('permissions'),
        isAdminUser.as('is_admin'),
        roleIdsOfUser.as('role_ids')
      ])
      .where('sessions.id', '=', sid)
      .where('sessions.revoked_at', 'is', null)
      .where('sessions.expires_at', '>', sql<string>`now()`)
      .where('users.public_id', '=', sub)
      .where('users.is_active', '=', true)
      .where('users.deleted_at', 'is', null),
  { shortRead: true }
)

/** Loads the caller for the auth plugin: `null` when the session or the user is no more. */
export async function loadCaller(db: Kysely<Database>, claims: { sid: string; sub: string }) {
  const row = await selectCaller.executeTakeFirst(db, { sid: claims.sid, sub: claims.sub })
  if (row === undefined) return null
  const { expires_at, role_ids, ...principal } = row
  return {
    principal,
    tags: [`session:${principal.session_id}`, `user:${principal.id}`, ...role_ids.map((id) => `role:${id}`)],
    validUntil: Date.parse(expires_at)
  }
}
