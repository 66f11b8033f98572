import { Type } from '@sinclair/typebox'
import { ListQuery, PageQuery } from '../../../../plugins/envelope/schema.ts'
import { DateTime, Id, Nullable, StringEnum, text } from '../../../../plugins/validation/schema.ts'

const title = text(200, { minLength: 1 })
const description = Nullable(text(2000))
const status = StringEnum(['draft', 'active', 'archived'])

export const Item = Type.Object(
  {
    id: Id(),
    title,
    description,
    status,
    is_owner: Type.Optional(Type.Boolean({ description: 'Only for the signed-in' })),
    created_at: DateTime(),
    updated_at: DateTime()
  },
  { $id: 'Item' }
)

export const ItemCreate = Type.Object(
  { title, description: Type.Optional(description), status: Type.Optional(StringEnum(['draft', 'active'])) },
  { $id: 'ItemCreate', additionalProperties: false }
)

export const ItemUpdate = Type.Partial(Type.Pick(ItemCreate, ['title', 'description']), {
  $id: 'ItemUpdate',
  additionalProperties: false,
  minProperties: 1
})

export const ItemParams = Type.Object({ item_id: Id() })

export const ItemQuery = Type.Object(
  {
    ...ListQuery.properties,
    status: StringEnum(['active', 'archived'], { default: 'active' }),
    sort: StringEnum(['-created_at', 'created_at', '-title', 'title'], { default: '-created_at' })
  },
  { additionalProperties: false }
)

export const OwnItemQuery = Type.Object(
  { ...PageQuery.properties, status: Type.Optional(status) },
  { additionalProperties: false }
)

export const ItemSearch = Type.Object(
  { ...PageQuery.properties, q: text(100, { minLength: 3, description: 'Text to find in title or description' }) },
  { additionalProperties: false }
)
