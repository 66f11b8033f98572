import { type Kysely, type SqlBool, sql, type Transaction } from 'kysely'
import { compiled } from '../../../../db/compiled.ts'
import { cursorList } from '../../../../db/cursor-list.ts'
import { pageList } from '../../../../db/page-list.ts'
import { tasks } from '../../../../db/tasks.ts'
import type { Database, TaskState } from '../../../../db/types.ts'

export { tasks }

/** The version is for the ETag; it is in no schema and so in no answer. */
export const columns = [
  'tasks.public_id as id',
  'tasks.message',
  'tasks.state',
  'tasks.result',
  'tasks.attempts',
  'tasks.created_at',
  'tasks.started_at',
  'tasks.finished_at',
  'tasks.row_version'
] as const

const withOwner = (db: Kysely<Database>) =>
  db
    .selectFrom('tasks')
    .innerJoin('users', 'users.id', 'tasks.owner_id')
    .select([...columns, 'users.public_id as owner_id'])

/** `owner` is null for who sees everybody's. */
export interface Visible {
  id: string
  owner: number | null
}

export const findTask = compiled(
  (db: Kysely<Database>, { id, owner }: Visible) =>
    withOwner(db)
      .where('tasks.public_id', '=', id)
      .where(sql<SqlBool>`(${owner}::bigint is null or tasks.owner_id = ${owner})`),
  { shortRead: true }
)

/** The owner's tasks, newest first; all of them when `state` is null. */
export const listOwnTasks = pageList(
  (db: Kysely<Database>, { owner_id, state }: { owner_id: number; state: TaskState | null }) =>
    withOwner(db)
      .where('tasks.owner_id', '=', owner_id)
      .where(sql<SqlBool>`(${state}::text is null or tasks.state = ${state})`),
  [['tasks.id', 'desc']]
)

const newestFirst = [['tasks.id', 'desc']] as const

/** Everybody's tasks, newest first. */
export const listAllTasks = cursorList('tasks', withOwner, newestFirst)
export const listAllTasksIn = cursorList(
  'tasks',
  (db: Kysely<Database>, { state }: { state: TaskState }) => withOwner(db).where('tasks.state', '=', state),
  newestFirst
)

/** Moves a task to another state, if it is in one of those it may be moved from. */
export const moveTask = (
  trx: Transaction<Database>,
  { id, owner }: Visible,
  from: TaskState[],
  changes: { state: TaskState; finished_at: null | ReturnType<typeof sql<string>> }
) =>
  tasks.update(
    trx,
    (eb) =>
      eb.and([
        eb('public_id', '=', id),
        eb('state', 'in', from),
        ...(owner === null ? [] : [eb('owner_id', '=', owner)])
      ]),
    changes,
    ['message']
  )
