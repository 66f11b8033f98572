import { type Kysely, sql, type Transaction } from 'kysely'
import { crud } from './crud.ts'
import type { Database, TaskState } from './types.ts'

export const tasks = crud('tasks', { softDelete: false })

/** Where a run leaves a task alone: it is over, also when its owner has cancelled it. */
const open: TaskState[] = ['queued', 'running']

/** Notes that a run begins. `false` when there is nothing to run for any more. */
export async function startTask(db: Kysely<Database>, id: string, attempts: number): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('tasks')
    .set({ state: 'running', attempts, started_at: sql<string>`now()` })
    .where('public_id', '=', id)
    .where('state', 'in', open)
    .executeTakeFirst()
  return numUpdatedRows > 0n
}

/** Notes that a run has failed and the task waits for the next one. */
export async function requeueTask(db: Kysely<Database>, id: string, attempts: number): Promise<void> {
  await db
    .updateTable('tasks')
    .set({ state: 'queued' })
    .where('public_id', '=', id)
    .where('state', '=', 'running')
    .where('attempts', '=', attempts)
    .execute()
}

/** Ends a task that is not over yet; its row, or nothing when it was over or is no more. */
export function finishTask(
  trx: Transaction<Database>,
  id: string,
  end: { state: 'completed'; result: string } | { state: 'failed'; attempts: number }
) {
  return tasks.update(
    trx,
    (eb) => eb.and([eb('public_id', '=', id), eb('state', 'in', open)]),
    { ...end, finished_at: sql<string>`now()` },
    ['public_id as id']
  )
}
