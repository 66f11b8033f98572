import type { ColumnType, Generated, GeneratedAlways } from 'kysely'
import type { ApiKeysTable } from '../plugins/api-keys/index.ts'
import type { AuditEventsTable } from '../plugins/audit/index.ts'
import type { ChangesTable } from '../plugins/changes/index.ts'
import type { IdempotencyKeysTable } from '../plugins/idempotency/index.ts'
import type { SessionsTable } from '../plugins/sessions/index.ts'

/** A timestamp: ISO 8601 UTC text when read; set by the database unless given. */
export type Timestamp = ColumnType<string, string | undefined, string>
export type NullableTimestamp = ColumnType<string | null, string | null | undefined, string | null>

/** What every resource has: an internal key for joins, a public one for clients, and a version that each update raises. */
interface Resource {
  id: GeneratedAlways<number>
  public_id: Generated<string>
  created_at: Timestamp
  updated_at: Timestamp
  row_version: Generated<number>
}

export interface UsersTable extends Resource {
  /** Lower case. Unique among users that are not deleted. */
  email: string
  /** Lower case. Unique among users that are not deleted. */
  username: string
  name: string | null
  profile_image_url: string | null
  password_hash: string
  tier_id: number
  is_active: Generated<boolean>
  is_verified: Generated<boolean>
  deleted_at: NullableTimestamp
}

export interface RolesTable extends Resource {
  name: string
  description: string | null
  /** Passes every check: being an administrator is this flag, never a name. */
  is_admin: Generated<boolean>
  /** Cannot be renamed, disabled or deleted. */
  is_protected: Generated<boolean>
  is_active: Generated<boolean>
}

export interface PermissionsTable extends Resource {
  /** `<what>:<resource>:<whose>`, e.g. `read:user:all`. Never changes. */
  code: string
  description: string | null
  /** An inactive one is granted to nobody. */
  is_active: Generated<boolean>
}

export interface RolePermissionsTable {
  role_id: number
  permission_id: number
  created_at: Timestamp
}

export interface TiersTable extends Resource {
  name: string
}

/** How often one user of a tier may call a route. */
export interface TierRateLimitsTable extends Resource {
  tier_id: number
  name: string | null
  /** Template of the route as the OpenAPI document spells it. */
  path: string
  /** `null`: all methods together, where no other rule names the method. */
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | null
  limit: number
  /** Seconds. */
  period: number
}

export interface UserRolesTable {
  user_id: number
  role_id: number
  created_at: Timestamp
}

export interface TodosTable extends Resource {
  owner_id: number
  title: string
  description: string | null
  completed: Generated<boolean>
  deleted_at: NullableTimestamp
}

export interface PostsTable extends Resource {
  owner_id: number
  title: string
  text: string
  media_url: string | null
  deleted_at: NullableTimestamp
}

export type ItemStatus = 'draft' | 'active' | 'archived'

export interface ItemsTable extends Resource {
  owner_id: number
  title: string
  description: string | null
  status: ColumnType<ItemStatus, ItemStatus | undefined, ItemStatus>
}

export type TaskState = 'queued' | 'running' | 'completed' | 'failed' | 'cancelled'

/** What people see of a job, which is remembered longer than the job is. Its public id is the job's. */
export interface TasksTable extends Resource {
  owner_id: number
  message: string
  state: ColumnType<TaskState, TaskState | undefined, TaskState>
  /** Runs that have begun. */
  attempts: Generated<number>
  result: string | null
  started_at: NullableTimestamp
  finished_at: NullableTimestamp
}

/** What proves, once, that somebody reads the mail of an account. */
export interface AccountTokensTable {
  /** SHA-256 in base64url: the token itself is nowhere but in the mail. */
  token_hash: string
  user_id: number
  purpose: 'verify_email' | 'reset_password' | 'change_email'
  /** Where it was mailed to. */
  email: string
  /** A hash of what must not have changed since. */
  bound_to: string
  /** The job that mailed it. */
  job_id: string
  created_at: Timestamp
  expires_at: ColumnType<string, string, never>
  used_at: NullableTimestamp
}

/** Every table of the service. */
export interface Database {
  account_tokens: AccountTokensTable
  api_keys: ApiKeysTable
  audit_events: AuditEventsTable
  changes: ChangesTable
  idempotency_keys: IdempotencyKeysTable
  items: ItemsTable
  permissions: PermissionsTable
  posts: PostsTable
  role_permissions: RolePermissionsTable
  roles: RolesTable
  sessions: SessionsTable
  tasks: TasksTable
  tier_rate_limits: TierRateLimitsTable
  tiers: TiersTable
  todos: TodosTable
  user_roles: UserRolesTable
  users: UsersTable
}

declare module '../plugins/database/index.ts' {
  interface Tables extends Database {}
}
