import { sql } from 'kysely'

/**
 * Every permission that a route may ask for, `<what>:<resource>:<whose>`; the table `permissions` has the same codes. None asks
 * for `create:user:me`: people register before they are anybody. It completes the matrix, for hosts whose accounts have parts.
 */
export const permissionCodes = [
  ...['create:user:me', 'read:user:me', 'update:user:me', 'delete:user:me'],
  ...['create:user:all', 'read:user:all', 'update:user:all', 'delete:user:all'],
  ...['create:role:all', 'read:role:all', 'update:role:all', 'delete:role:all'],
  ...['create:permission:all', 'read:permission:all', 'update:permission:all', 'delete:permission:all'],
  ...['create:user_role:all', 'read:user_role:all', 'delete:user_role:all'],
  ...['create:role_permission:all', 'read:role_permission:all', 'delete:role_permission:all'],
  ...['read:session:all', 'delete:session:all'],
  'read:audit_event:all',
  ...['create:tier:all', 'update:tier:all', 'delete:tier:all'],
  'delete:cache:all',
  ...['create:todo:me', 'read:todo:me', 'update:todo:me', 'delete:todo:me'],
  ...['create:post:me', 'update:post:me', 'delete:post:me', 'delete:post:all'],
  ...['create:item:me', 'read:item:me', 'update:item:me', 'delete:item:me'],
  ...['create:task:me', 'read:task:me', 'update:task:me', 'read:task:all', 'update:task:all']
] as const

export type PermissionCode = (typeof permissionCodes)[number]

declare module '../plugins/auth/index.ts' {
  interface Permissions extends Record<PermissionCode, true> {}
}

export const permissionColumns = [
  'permissions.public_id as id',
  'permissions.code',
  'permissions.description',
  'permissions.is_active',
  'permissions.created_at',
  'permissions.updated_at',
  'permissions.row_version'
] as const

/** The codes of a user's permissions: those that their active roles grant, and every active one for an administrator. */
export const permissionsOfUser = sql<string[]>`array(
  select distinct permissions.code
  from user_roles
  join roles on roles.id = user_roles.role_id and roles.is_active
  join permissions on permissions.is_active and (roles.is_admin or exists (
    select from role_permissions
    where role_permissions.role_id = roles.id and role_permissions.permission_id = permissions.id))
  where user_roles.user_id = users.id order by permissions.code)`

/** Whether a user holds an active role with the administrator flag. */
export const isAdminUser = sql<boolean>`exists (
  select from user_roles join roles on roles.id = user_roles.role_id
  where user_roles.user_id = users.id and roles.is_active and roles.is_admin)`

/** The codes that a user's roles grant, or would grant if they and the permissions were active. */
export const dormantPermissionsOfUser = sql<string[]>`array(
  select distinct permissions.code
  from user_roles
  join role_permissions on role_permissions.role_id = user_roles.role_id
  join permissions on permissions.id = role_permissions.permission_id
  where user_roles.user_id = users.id order by permissions.code)`

/** Whether a user holds a role with the administrator flag, active or not. */
export const isDormantAdmin = sql<boolean>`exists (
  select from user_roles join roles on roles.id = user_roles.role_id
  where user_roles.user_id = users.id and roles.is_admin)`
