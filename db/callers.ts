import { type Kysely, sql } from 'kysely'
import { compiled } from './compiled.ts'
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
  session_id: string
}

declare module '../plugins/auth/index.ts' {
  interface Principal extends Caller {}
}

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
        rolesOfUser.as('roles')
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
  const { expires_at, ...principal } = row
  return {
    principal,
    tags: [`session:${principal.session_id}`, `user:${principal.id}`],
    validUntil: Date.parse(expires_at)
  }
}
