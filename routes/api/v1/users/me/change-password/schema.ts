import { Type } from '@sinclair/typebox'
import { text } from '../../../../../../plugins/validation/schema.ts'

export const PasswordChange = Type.Object(
  {
    current_password: text(128, { minLength: 1 }),
    new_password: text(128, {
      minLength: 1,
      description: '8 to 128 characters after NFC, no common password, not the own address or username'
    })
  },
  { $id: 'PasswordChange', additionalProperties: false }
)
