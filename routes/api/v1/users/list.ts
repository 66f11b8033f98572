import { type Kysely, sql } from 'kysely'
import { type List, list } from '../../../../db/list.ts'
import { permissionsOfUser } from '../../../../db/permissions.ts'
import type { Database } from '../../../../db/types.ts'
import { rolesOfUser, userColumns } from '../../../../db/users.ts'

const columns = { created_at: 'users.id', username: 'users.username', email: 'users.email' } as const

/** `null` filters by nothing. */
interface Filters {
  username: string | null
  email: string | null
  role: string | null
  is_active: boolean | null
  is_verified: boolean | null
}

export interface UserShape {
  sort: keyof typeof columns | `-${keyof typeof columns}`
  include?: string
  deleted: boolean
}

type Row = Awaited<ReturnType<ReturnType<typeof users>['execute']>>[number] & {
  roles?: string[]
  permissions?: string[]
}
/** One for each of the 48 shapes that the schema of the query admits, made when first asked for. */
const lists = new Map<string, List<Database, Filters, Row>>()

/** Users with all that is asked of them, in one query whatever the number of users. */
export function userList({ sort, include = '', deleted }: UserShape): List<Database, Filters, Row> {
  const withRoles = include.includes('roles')
  const withPermissions = include.includes('permissions')
  const name = `users ${sort} ${withRoles} ${withPermissions} ${deleted}`
  const known = lists.get(name)
  if (known !== undefined) return known

  const direction = sort.startsWith('-') ? 'desc' : 'asc'
  const column = columns[sort.replace('-', '') as keyof typeof columns] // what remains of a sort without its sign
  const order = [[column, direction] as const, ...(column === 'users.id' ? [] : [['users.id', direction] as const])]
  const build = (db: Kysely<Database>, filters: Filters) =>
    users(db, filters)
      .where('users.deleted_at', deleted ? 'is not' : 'is', null)
      .$if(withRoles, (query) => query.select(rolesOfUser.as('roles')))
      .$if(withPermissions, (query) => query.select(permissionsOfUser.as('permissions')))
  const made = list(name, build, order)
  lists.set(name, made)
  return made
}

function users(db: Kysely<Database>, { username, email, role, is_active, is_verified }: Filters) {
  return db
    .selectFrom('users')
    .select(userColumns)
    .where(sql<boolean>`(${username}::text is null or users.username = ${username})`)
    .where(sql<boolean>`(${email}::text is null or users.email = ${email})`)
    .where(sql<boolean>`(${is_active}::boolean is null or users.is_active = ${is_active})`)
    .where(sql<boolean>`(${is_verified}::boolean is null or users.is_verified = ${is_verified})`)
    .where(sql<boolean>`(${role}::text is null or exists (
      select from user_roles join roles on roles.id = user_roles.role_id
      where user_roles.user_id = users.id and roles.name = ${role}))`)
}
