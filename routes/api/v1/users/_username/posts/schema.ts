import { Type } from '@sinclair/typebox'
import { DateTime, Id, Nullable, text } from '../../../../../../plugins/validation/schema.ts'

const fields = {
  title: text(30, { minLength: 2 }),
  text: text(63_206, { minLength: 1 }),
  media_url: Nullable(text(2048, { format: 'uri', pattern: '^https?://' }))
}

export const Post = Type.Object(
  { id: Id(), ...fields, created_at: DateTime(), updated_at: DateTime() },
  { $id: 'Post', description: 'What a user published' }
)

export const PostCreate = Type.Object(
  { ...fields, media_url: Type.Optional(fields.media_url) },
  { $id: 'PostCreate', additionalProperties: false }
)

export const PostUpdate = Type.Partial(PostCreate, { $id: 'PostUpdate', additionalProperties: false, minProperties: 1 })

export const AuthorParams = Type.Object({ username: text(64, { minLength: 1 }) })

export const PostParams = Type.Object({ ...AuthorParams.properties, post_id: Id() })

export const Deletion = Type.Object(
  { hard: Type.Boolean({ default: false, description: 'Remove it for good; needs `delete:post:all`' }) },
  { additionalProperties: false }
)
