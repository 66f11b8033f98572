import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from '@sinclair/typebox'
import type { CursorOptions } from '../../../../db/cursors.ts'
import { cursorEnvelope, envelope, page, success } from '../../../../plugins/envelope/schema.ts'
import { listAllTasks, listAllTasksIn } from './queries.ts'
import { AllTasksQuery, Task, TaskStatistics } from './schema.ts'

/** What administrators see of everybody's tasks. */
const all: FastifyPluginAsyncTypebox<CursorOptions> = async (app, { cursors }) => {
  app.get(
    '/all',
    {
      config: { auth: { permission: 'read:task:all', apiKey: true } },
      schema: {
        operationId: 'listAllTasks',
        tags: ['tasks'],
        summary: 'List everybody’s tasks',
        description: 'In any state or in one, newest first.',
        querystring: AllTasksQuery,
        response: { 200: cursorEnvelope(Task) }
      }
    },
    async ({ query: { state, ...request } }) => {
      const found =
        state === undefined
          ? await listAllTasks(app.db, cursors, {}, request)
          : await listAllTasksIn(app.db, cursors, { state }, request)
      return page('Tasks', found)
    }
  )

  app.get(
    '/statistics',
    {
      config: { auth: { permission: 'read:task:all', apiKey: true } },
      schema: {
        operationId: 'getTaskStatistics',
        tags: ['tasks'],
        summary: 'Count the jobs that are not done',
        description: 'Of every kind that the service has, tasks among them, counted now.',
        response: { 200: envelope(Type.Array(TaskStatistics, { maxItems: 1000 })) }
      }
    },
    async () => success('Jobs by kind', await app.jobs.figures())
  )
}

export default all
