import { Type } from '@sinclair/typebox'
import { text } from '../../../../../../plugins/validation/schema.ts'

export const PasswordChange = Type.Object(
  {
    current_password: text(128, { minLength: 1 }),
    new_password: text(128, { minLength: 1, description: 'At least 8 characters' })
  },
  { $id: 'PasswordChange', additionalProperties: false }
)
