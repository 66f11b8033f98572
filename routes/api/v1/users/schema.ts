import { Type } from '@sinclair/typebox'
import { DateTime, Id, Nullable, text } from '../../../../plugins/validation/schema.ts'

export const User = Type.Object(
  {
    id: Id(),
    username: text(30),
    email: text(254),
    name: Nullable(text(100)),
    profile_image_url: Nullable(text(2048)),
    roles: Type.Array(text(50), { maxItems: 100 }),
    permissions: Type.Array(text(100), {
      description: 'Codes of what the roles grant; all of them for administrators'
    }),
    is_active: Type.Boolean(),
    is_verified: Type.Boolean(),
    created_at: DateTime(),
    updated_at: DateTime()
  },
  { $id: 'User', description: 'A user as seen by themselves' }
)

export const UserUpdate = Type.Object(
  {
    username: Type.Optional(text(64, { minLength: 3 })),
    name: Type.Optional(Nullable(text(100, { minLength: 1 }))),
    profile_image_url: Type.Optional(Nullable(text(2048, { format: 'uri', pattern: '^https?://' })))
  },
  { $id: 'UserUpdate', additionalProperties: false, minProperties: 1 }
)
