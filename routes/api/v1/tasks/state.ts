import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { sql } from 'kysely'
import { Conflict, NotFound } from '../../../../plugins/envelope/errors.ts'
import { envelope, errors, success } from '../../../../plugins/envelope/schema.ts'
import { findTask, moveTask } from './queries.ts'
import { Task, TaskParams } from './schema.ts'
import { visible } from './visible.ts'

/** What becomes of the job is in the transaction of what its owner reads. */
const state: FastifyPluginAsyncTypebox = async (app) => {
  app.post(
    '/:task_id/cancellation',
    {
      config: { auth: { permission: 'update:task:me', apiKey: true }, audit: 'task.cancelled' },
      schema: {
        operationId: 'cancelTask',
        tags: ['tasks'],
        summary: 'Cancel a task',
        description:
          'One’s own, unless one may change all, and only while it is not over, else 409. A run that is on leaves nothing behind.',
        params: TaskParams,
        response: { 200: envelope(Task), ...errors(404, 409) }
      }
    },
    async (request) => {
      const which = visible(request, 'update:task:all')
      const { body } = await request.transaction(async (trx) => {
        const end = { state: 'cancelled', finished_at: sql<string>`now()` } as const
        const moved = await moveTask(trx, which, ['queued', 'running'], end)
        const task = await findTask.executeTakeFirst(trx, which)
        if (task === undefined) throw new NotFound('Task not found')
        if (moved === undefined) throw new Conflict(`The task is over: ${task.state}`)
        await app.jobs.cancel(trx, 'complete_task', which.id)
        return { status: 200, body: success('Task cancelled', task) }
      })
      return body
    }
  )

  app.post(
    '/:task_id/retry',
    {
      config: { auth: { permission: 'update:task:all', apiKey: true }, audit: 'task.retried' },
      schema: {
        operationId: 'retryTask',
        tags: ['tasks'],
        summary: 'Retry a failed task',
        description: 'It runs once more, under the same id. In any other state, 409.',
        params: TaskParams,
        response: { 200: envelope(Task), ...errors(404, 409) }
      }
    },
    async (request) => {
      const which = visible(request, 'update:task:all')
      const { body } = await request.transaction(async (trx) => {
        const moved = await moveTask(trx, which, ['failed'], { state: 'queued', finished_at: null })
        const task = await findTask.executeTakeFirst(trx, which)
        if (task === undefined) throw new NotFound('Task not found')
        if (moved === undefined) throw new Conflict(`Only what has failed is retried, this is ${task.state}`)
        // A dead job is forgotten in time; the task is not.
        const isRevived = await app.jobs.revive(trx, 'complete_task', which.id)
        if (!isRevived) await app.jobs.enqueue(trx, 'complete_task', moved, { id: which.id })
        return { status: 200, body: success('Task queued again', task) }
      })
      return body
    }
  )
}

export default state
