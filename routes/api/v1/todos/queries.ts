import { type Kysely, sql, type Transaction } from 'kysely'
import type { Database } from '../../../../db/types.ts'

const columns = ['public_id as id', 'title', 'description', 'completed', 'created_at', 'updated_at'] as const

/** The owner's todos that are not deleted: every read and write of this resource starts here. */
const own = (db: Kysely<Database>, ownerId: number) =>
  db.selectFrom('todos').where('owner_id', '=', ownerId).where('deleted_at', 'is', null)

export async function listTodos(db: Kysely<Database>, ownerId: number, page: number, itemsPerPage: number) {
  const data = await own(db, ownerId)
    .select(columns)
    .orderBy('todos.id', 'desc')
    .limit(itemsPerPage)
    .offset((page - 1) * itemsPerPage)
    .execute()
  const { total_count } = await own(db, ownerId)
    .select((eb) => eb.fn.countAll<number>().as('total_count'))
    .executeTakeFirstOrThrow()
  return { data, total_count, has_more: page * itemsPerPage < total_count, page, items_per_page: itemsPerPage }
}

export function findTodo(db: Kysely<Database>, ownerId: number, id: string) {
  return own(db, ownerId).select(columns).where('public_id', '=', id).executeTakeFirst()
}

interface TodoFields {
  title?: string
  description?: string | null
  completed?: boolean
}

export function insertTodo(trx: Transaction<Database>, ownerId: number, todo: TodoFields & { title: string }) {
  return trx
    .insertInto('todos')
    .values({ ...todo, owner_id: ownerId })
    .returning(columns)
    .executeTakeFirstOrThrow()
}

export function updateTodo(trx: Transaction<Database>, ownerId: number, id: string, changes: TodoFields) {
  return trx
    .updateTable('todos')
    .set(changes)
    .where('owner_id', '=', ownerId)
    .where('public_id', '=', id)
    .where('deleted_at', 'is', null)
    .returning(columns)
    .executeTakeFirst()
}

export async function deleteTodo(trx: Transaction<Database>, ownerId: number, id: string): Promise<boolean> {
  const { numUpdatedRows } = await trx
    .updateTable('todos')
    .set({ deleted_at: sql<string>`now()` })
    .where('owner_id', '=', ownerId)
    .where('public_id', '=', id)
    .where('deleted_at', 'is', null)
    .executeTakeFirst()
  return numUpdatedRows === 1n
}
