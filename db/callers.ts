import { type Kysely, sql } from 'kysely'
import type { FoundKey } from '../plugins/api-keys/index.ts'
import { compiled } from './compiled.ts'
import { isAdminUser, permissionsOfUser } from './permissions.ts'
import { shared } from './shared.ts'
import type { Database } from './types.ts'
import { rolesOfUser } from './users.ts'

/** Who is calling: the user and the session behind an access token. */
export interface Caller {
  /** Public id of the user. */
  id: string
  /** Internal key of the user, for joins. */
  user_id: number
  username: string
  roles: readonly string[]
  /** Codes; of an administrator, all. */
  permissions: readonly string[]
  is_admin: boolean
  /** Its public id and name. */
  tier: Readonly<{ id: string; name: string }>
  /** `null` when an API key is the credential. */
  session_id: string | null
  api_key_id: string | null
}

declare module '../plugins/auth/index.ts' {
  interface Principal extends Caller {}
}

/** Of inactive roles too: activating one changes what the caller may do. */
const roleIdsOfUser = sql<string[]>`array(
  select roles.public_id from user_roles join roles on roles.id = user_roles.role_id
  where user_roles.user_id = users.id)`

const tierOfCaller = sql<{ id: string; name: string }>`(
  select jsonb_build_object('id', tiers.public_id, 'name', tiers.name) from tiers where tiers.id = users.tier_id)`

const columns = [
  'users.public_id as id',
  'users.id as user_id',
  'users.username',
  rolesOfUser.as('roles'),
  permissionsOfUser.as('permissions'),
  isAdminUser.as('is_admin'),
  tierOfCaller.as('tier'),
  roleIdsOfUser.as('role_ids')
] as const

const selectCaller = compiled(
  (db: Kysely<Database>, { sid, sub }: { sid: string; sub: string }) =>
    db
      .selectFrom('sessions')
      .innerJoin('users', 'users.id', 'sessions.user_id')
      .select([...columns, 'sessions.id as session_id', 'sessions.expires_at'])
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
    principal: { ...principal, ...alike(principal), api_key_id: null },
    tags: [`session:${principal.session_id}`, ...tagsOf(principal, role_ids)],
    validUntil: Date.parse(expires_at)
  }
}

const selectOwner = compiled(
  (db: Kysely<Database>, { user_id }: { user_id: number }) =>
    db
      .selectFrom('users')
      .select(columns)
      .where('users.id', '=', user_id)
      .where('users.is_active', '=', true)
      .where('users.deleted_at', 'is', null),
  { shortRead: true }
)

/** Loads the owner of an API key, who may do what both the key and they themselves may; `null` when they are no more. */
export async function loadKeyCaller(db: Kysely<Database>, key: FoundKey) {
  const row = await selectOwner.executeTakeFirst(db, { user_id: key.user_id })
  if (row === undefined) return null
  const { role_ids, ...owner } = row
  const permissions = key.scopes.filter((scope) => owner.permissions.includes(scope))
  return {
    principal: {
      ...owner,
      ...alike({ ...owner, permissions }),
      is_admin: false,
      session_id: null,
      api_key_id: key.id
    },
    tags: [`api_key:${key.id}`, ...tagsOf(owner, role_ids)],
    validUntil: Date.parse(key.valid_until)
  }
}

/** What callers of one role or tier have alike. */
const alike = ({ roles, permissions, tier }: Pick<Caller, 'roles' | 'permissions' | 'tier'>) => ({
  roles: shared(roles),
  permissions: shared(permissions),
  tier: shared(tier)
})

const tagsOf = ({ id, tier }: Pick<Caller, 'id' | 'tier'>, roleIds: string[]) => [
  `user:${id}`,
  `tier:${tier.id}`,
  ...roleIds.map((role) => `role:${role}`)
]
