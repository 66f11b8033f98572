import { Type } from '@sinclair/typebox'
import { DateTime, Id, Nullable, text } from '../../../../plugins/validation/schema.ts'

const name = text(50, { pattern: '^[a-z][a-z0-9_-]*$', examples: ['moderator'] })
const description = Nullable(text(500))
const isAdmin = Type.Boolean({ description: 'Passes every check; only administrators may set it' })

export const Role = Type.Object(
  {
    id: Id(),
    name,
    description,
    is_admin: isAdmin,
    is_protected: Type.Boolean({ description: 'Cannot be renamed, disabled or deleted' }),
    is_active: Type.Boolean({ description: 'An inactive role grants nothing' }),
    created_at: DateTime(),
    updated_at: DateTime()
  },
  { $id: 'Role' }
)

export const RoleCreate = Type.Object(
  { name, description: Type.Optional(description), is_admin: Type.Optional(isAdmin) },
  { $id: 'RoleCreate', additionalProperties: false }
)

export const RoleUpdate = Type.Object(
  {
    name: Type.Optional(name),
    description: Type.Optional(description),
    is_admin: Type.Optional(isAdmin),
    is_active: Type.Optional(Type.Boolean())
  },
  { $id: 'RoleUpdate', additionalProperties: false, minProperties: 1 }
)

export const RoleParams = Type.Object({ role_id: Id() })

export const PermissionGrant = Type.Object(
  { permission_id: Id() },
  { $id: 'PermissionGrant', additionalProperties: false }
)
