import { Type } from '@sinclair/typebox'
import { cursorEnvelope, ListQuery, pageEnvelope } from '../../../../plugins/envelope/schema.ts'
import { DateTime, Email, Id, Nullable, StringEnum, text } from '../../../../plugins/validation/schema.ts'

const roles = Type.Array(text(50), { maxItems: 100, description: 'Names of the active roles' })
const permissions = Type.Array(text(100), {
  description: 'Codes of what the roles grant; all of them for administrators'
})

const account = {
  id: Id(),
  username: text(30),
  email: text(254),
  name: Nullable(text(100)),
  profile_image_url: Nullable(text(2048)),
  tier: text(50, { description: 'Name of the tier, whose rate limits apply' }),
  is_active: Type.Boolean(),
  is_verified: Type.Boolean(),
  created_at: DateTime(),
  updated_at: DateTime()
}

export const User = Type.Object(
  { ...account, roles, permissions },
  { $id: 'User', description: 'A user as seen by themselves and by who may read all users' }
)

export const PublicUser = Type.Object(
  {
    id: account.id,
    username: account.username,
    name: account.name,
    profile_image_url: account.profile_image_url,
    created_at: account.created_at
  },
  { $id: 'PublicUser', description: 'A user as seen by everybody' }
)

export const ListedUser = Type.Object(
  { ...account, roles: Type.Optional(roles), permissions: Type.Optional(permissions) },
  { $id: 'ListedUser', description: 'A user in a list; roles and permissions on request' }
)

const username = text(64, {
  minLength: 3,
  description: '3 to 30 of a–z, 0–9, `_`, `.` and `-`, starting with a letter or digit; stored in lower case'
})
const profile = {
  name: Type.Optional(Nullable(text(100, { minLength: 1 }))),
  profile_image_url: Type.Optional(Nullable(text(2048, { format: 'uri', pattern: '^https?://' })))
}

export const UserUpdate = Type.Object(
  { username: Type.Optional(username), ...profile },
  { $id: 'UserUpdate', additionalProperties: false, minProperties: 1 }
)

const standing = { is_active: Type.Optional(Type.Boolean()), is_verified: Type.Optional(Type.Boolean()) }

export const UserCreate = Type.Object(
  { email: Email(), username, password: text(128, { minLength: 1 }), ...profile, ...standing },
  { $id: 'UserCreate', additionalProperties: false }
)

/** What others with the permission may change, beside the profile. */
export const AccountUpdate = Type.Object(
  { username: Type.Optional(username), email: Type.Optional(Email()), ...profile, ...standing },
  { $id: 'AccountUpdate', additionalProperties: false, minProperties: 1 }
)

export const UserParams = Type.Object({ user_id: Id() })

export const RoleAssignment = Type.Object({ role_id: Id() }, { $id: 'RoleAssignment', additionalProperties: false })

export const Removal = Type.Object(
  {
    hard: Type.Boolean({ default: false, description: 'Remove the row and all that belongs to it, for good' })
  },
  { additionalProperties: false }
)

export const UserQuery = Type.Object(
  {
    ...ListQuery.properties,
    sort: StringEnum(['created_at', '-created_at', 'username', '-username', 'email', '-email'], {
      default: '-created_at',
      description: 'The field to sort by, with `-` the largest first'
    }),
    include: Type.Optional(
      StringEnum(['roles', 'permissions', 'roles,permissions', 'permissions,roles'], {
        description: 'What each user carries besides'
      })
    ),
    username: Type.Optional(text(64)),
    email: Type.Optional(text(254)),
    role: Type.Optional(text(50, { description: 'Name of a role they have' })),
    is_active: Type.Optional(Type.Boolean()),
    is_verified: Type.Optional(Type.Boolean()),
    deleted: Type.Boolean({ default: false, description: 'The deleted ones instead, which can be restored' })
  },
  { additionalProperties: false }
)

const { total_count, is_total_exact, page, items_per_page, ...list } = pageEnvelope(ListedUser).properties

export const UserList = Type.Object(
  {
    ...list,
    total_count: Type.Optional(total_count),
    is_total_exact: Type.Optional(is_total_exact),
    page: Type.Optional(page),
    items_per_page: Type.Optional(items_per_page),
    next_cursor: Type.Optional(cursorEnvelope(ListedUser).properties.next_cursor)
  },
  { description: 'One page, with its numbers, or one part of a walk by cursor, with `next_cursor`' }
)
