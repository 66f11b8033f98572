import { Type } from '@sinclair/typebox'
import { DateTime, Id, Nullable, text } from '../../../../plugins/validation/schema.ts'

const code = text(100, {
  pattern: '^[a-z][a-z_]*:[a-z][a-z_]*:[a-z][a-z_]*$',
  description: '`<what>:<resource>:<whose>`; it never changes',
  examples: ['read:user:all']
})
const description = Nullable(text(500))

export const Permission = Type.Object(
  {
    id: Id(),
    code,
    description,
    is_active: Type.Boolean({ description: 'An inactive permission is granted to nobody' }),
    created_at: DateTime(),
    updated_at: DateTime()
  },
  { $id: 'Permission' }
)

export const PermissionCreate = Type.Object(
  { code, description: Type.Optional(description) },
  { $id: 'PermissionCreate', additionalProperties: false }
)

export const PermissionUpdate = Type.Object(
  { description: Type.Optional(description), is_active: Type.Optional(Type.Boolean()) },
  { $id: 'PermissionUpdate', additionalProperties: false, minProperties: 1 }
)

export const PermissionParams = Type.Object({ permission_id: Id() })
