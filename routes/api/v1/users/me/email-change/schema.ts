import { Type } from '@sinclair/typebox'
import { Email, text } from '../../../../../../plugins/validation/schema.ts'

export const EmailChange = Type.Object(
  { email: Email(), current_password: text(128, { minLength: 1 }) },
  { $id: 'EmailChange', additionalProperties: false }
)
