import { Type } from '@sinclair/typebox'
import { envelope } from '../../../../../plugins/envelope/schema.ts'
import { Id, Nullable, text } from '../../../../../plugins/validation/schema.ts'
import { AccountUpdate, UserCreate } from '../schema.ts'

const MAX_ITEMS = 100

export const UserBatchCreate = Type.Object(
  { users: Type.Array(UserCreate, { minItems: 1, maxItems: MAX_ITEMS }) },
  { $id: 'UserBatchCreate', additionalProperties: false }
)

export const UserBatchUpdate = Type.Object(
  {
    users: Type.Array(
      Type.Object(
        { id: Id(), ...AccountUpdate.properties },
        { $id: 'UserBatchItem', additionalProperties: false, minProperties: 2 }
      ),
      { minItems: 1, maxItems: MAX_ITEMS }
    )
  },
  { $id: 'UserBatchUpdate', additionalProperties: false }
)

export const UserBatchDelete = Type.Object(
  { ids: Type.Array(Id(), { minItems: 1, maxItems: MAX_ITEMS }) },
  { $id: 'UserBatchDelete', additionalProperties: false }
)

export const BatchResult = Type.Object(
  {
    index: Type.Integer({ minimum: 0, description: 'Place of the item in the request' }),
    id: Nullable(Id()),
    code: Type.Integer({ description: 'The HTTP status that the item alone would have had', examples: [201] }),
    error_code: Type.Optional(text(64)),
    message: Type.Optional(text(500)),
    field: Type.Optional(text(100, { description: 'The field at fault' })),
    missing: Type.Optional(Type.Array(text(100), { maxItems: 1000, description: 'Permissions that a 403 is for' }))
  },
  { $id: 'BatchResult' }
)

export const BatchResults = envelope(Type.Array(BatchResult, { maxItems: MAX_ITEMS }))
