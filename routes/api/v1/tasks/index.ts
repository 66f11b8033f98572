import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { CursorOptions } from '../../../../db/cursors.ts'
import { NotFound } from '../../../../plugins/envelope/errors.ts'
import { created, envelope, errors, page, pageEnvelope, success } from '../../../../plugins/envelope/schema.ts'
import all from './all.ts'
import { columns, findTask, listOwnTasks, tasks } from './queries.ts'
import { Task, TaskCreate, TaskParams, TaskQuery } from './schema.ts'
import state from './state.ts'
import { visible } from './visible.ts'

const routes: FastifyPluginAsyncTypebox<CursorOptions> = async (app, { cursors }) => {
  await app.register(all, { cursors })
  await app.register(state)

  app.post(
    '',
    {
      config: {
        auth: { permission: 'create:task:me', apiKey: true },
        limit: true,
        audit: 'task.created',
        idempotent: true,
        etag: 'row'
      },
      schema: {
        operationId: 'createTask',
        tags: ['tasks'],
        summary: 'Have a task done',
        description: 'It is done in the background; its state is where `Location` points. How often, the tier says.',
        body: TaskCreate,
        response: { 201: created(Task) }
      }
    },
    async (request, reply) => {
      const { caller, body: values } = request
      const { status, body, location } = await request.transaction(async (trx) => {
        const task = await tasks.create(trx, { ...values, owner_id: caller.user_id }, columns)
        await app.jobs.enqueue(trx, 'complete_task', values, { id: task.id })
        const body = success('Task created successfully', { ...task, owner_id: caller.id })
        return { status: 201, body, location: `/api/v1/tasks/${task.id}` }
      })
      return reply.code(status).header('location', location).send(body)
    }
  )

  app.get(
    '',
    {
      config: { auth: { permission: 'read:task:me', apiKey: true }, etag: 'body' },
      schema: {
        operationId: 'listTasks',
        tags: ['tasks'],
        summary: 'List own tasks',
        description: 'Those of the caller, newest first. A page beyond the end is empty.',
        querystring: TaskQuery,
        response: { 200: pageEnvelope(Task) }
      }
    },
    async ({ caller, query: { state = null, ...request } }) =>
      page('Tasks', await listOwnTasks(app.db, { owner_id: caller.user_id, state }, request))
  )

  app.get(
    '/:task_id',
    {
      config: { auth: { permission: 'read:task:me', apiKey: true }, etag: 'row' },
      schema: {
        operationId: 'getTask',
        tags: ['tasks'],
        summary: 'Read a task',
        description: 'How far it is, and its result. Those of others answer like absent ones, unless one may read all.',
        params: TaskParams,
        response: { 200: envelope(Task), ...errors(404) }
      }
    },
    async (request) => {
      const task = await findTask.executeTakeFirst(app.db, visible(request, 'read:task:all'))
      if (task === undefined) throw new NotFound('Task not found')
      return success('Task', task)
    }
  )
}

export default routes
