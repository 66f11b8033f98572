import { type Kysely, type SqlBool, sql } from 'kysely'
import { crud } from '../../../../db/crud.ts'
import { pageList } from '../../../../db/page-list.ts'
import type { Database } from '../../../../db/types.ts'

export const todos = crud('todos', { softDelete: true })

/** The version is for the ETag; it is in no schema and so in no answer. */
export const columns = [
  'public_id as id',
  'title',
  'description',
  'completed',
  'created_at',
  'updated_at',
  'row_version'
] as const

interface Filter {
  owner_id: number
  completed: boolean | null
  /** For `ilike`. */
  pattern: string | null
}

/** The owner's todos, newest first; a filter that is null lets all pass. */
export const listTodos = pageList(
  (db: Kysely<Database>, { owner_id, completed, pattern }: Filter) =>
    todos
      .query(db, { owner_id })
      .select(columns)
      .where(sql<SqlBool>`(${completed}::boolean is null or completed = ${completed})`)
      .where(sql<SqlBool>`(${pattern}::text is null or title ilike ${pattern} or description ilike ${pattern})`),
  [['todos.id', 'desc']]
)
