import { Type } from '@sinclair/typebox'
import { PageQuery } from '../../../../plugins/envelope/schema.ts'
import { DateTime, Id, Nullable, text } from '../../../../plugins/validation/schema.ts'

const title = text(200, { minLength: 1 })
const description = Nullable(text(2000))

export const Todo = Type.Object(
  {
    id: Id(),
    title,
    description,
    completed: Type.Boolean(),
    created_at: DateTime(),
    updated_at: DateTime()
  },
  { $id: 'Todo' }
)

export const TodoCreate = Type.Object(
  { title, description: Type.Optional(description), completed: Type.Optional(Type.Boolean()) },
  { $id: 'TodoCreate', additionalProperties: false }
)

export const TodoUpdate = Type.Partial(TodoCreate, { $id: 'TodoUpdate', additionalProperties: false, minProperties: 1 })

export const TodoParams = Type.Object({ todo_id: Id() })

export const TodoQuery = Type.Composite(
  [
    PageQuery,
    Type.Object({
      completed: Type.Optional(Type.Boolean({ description: 'Only those done, or only those left' })),
      q: Type.Optional(text(100, { minLength: 1, description: 'Text to find in title or description' }))
    })
  ],
  { additionalProperties: false }
)
