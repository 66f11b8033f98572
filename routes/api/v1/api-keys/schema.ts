import { Type } from '@sinclair/typebox'
import { DateTime, Id, Nullable, text } from '../../../../plugins/validation/schema.ts'

const name = Nullable(text(100, { minLength: 1 }))
const scopes = Type.Array(text(100, { minLength: 1 }), {
  maxItems: 100,
  uniqueItems: true,
  description: 'Permissions that the key may use, of those that its owner holds at that time',
  examples: [['read:user:me']]
})

const properties = {
  id: Id(),
  name,
  scopes,
  is_active: Type.Boolean(),
  expires_at: DateTime(),
  last_used_at: Nullable(DateTime({ description: 'Accurate to a minute' })),
  created_at: DateTime()
}

export const ApiKey = Type.Object(properties, { $id: 'ApiKey', description: 'An API key without its secret' })

export const NewApiKey = Type.Object(
  { api_key: text(128, { description: 'The key itself: shown this once, and stored nowhere' }), ...properties },
  { $id: 'NewApiKey', description: 'An API key with its secret' }
)

const days = (maxDays: number) => Type.Optional(Type.Integer({ minimum: 1, maximum: maxDays, description: 'Its life' }))

export const ApiKeyCreate = (maxDays: number) =>
  Type.Object(
    { name: Type.Optional(name), days: days(maxDays), scopes: Type.Optional(scopes) },
    { $id: 'ApiKeyCreate', additionalProperties: false }
  )

export const ApiKeyRotate = (maxDays: number) =>
  Type.Object(
    {
      days: days(maxDays),
      overlap_seconds: Type.Optional(
        Type.Integer({
          minimum: 0,
          maximum: 604_800,
          description: 'How long the key before stays good as well; by default a day'
        })
      )
    },
    { $id: 'ApiKeyRotate', additionalProperties: false }
  )

export const ApiKeyUpdate = Type.Object(
  { name: Type.Optional(name), is_active: Type.Optional(Type.Boolean()), scopes: Type.Optional(scopes) },
  { $id: 'ApiKeyUpdate', additionalProperties: false, minProperties: 1 }
)

export const ApiKeyParams = Type.Object({ key_id: Id() })
