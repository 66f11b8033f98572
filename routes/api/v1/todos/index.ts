import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from '@sinclair/typebox'
import type { Kysely } from 'kysely'
import { containing } from '../../../../db/search.ts'
import type { Database } from '../../../../db/types.ts'
import { absentOrChanged } from '../../../../plugins/conditional/errors.ts'
import { NotFound } from '../../../../plugins/envelope/errors.ts'
import { created, envelope, errors, page, pageEnvelope, success } from '../../../../plugins/envelope/schema.ts'
import { columns, listTodos, todos } from './queries.ts'
import { Todo, TodoCreate, TodoParams, TodoQuery, TodoUpdate } from './schema.ts'

/** Others' todos are as good as absent. */
const own = (caller: { user_id: number }, params: { todo_id: string }) => ({
  owner_id: caller.user_id,
  public_id: params.todo_id
})

/** Why an UPDATE found no row. */
const refusal = (db: Kysely<Database>, mine: ReturnType<typeof own>, ifMatch: object | undefined) =>
  absentOrChanged(ifMatch, () => todos.exists(db, mine), new NotFound('Todo not found'))

export interface TodoOptions {
  /** Calls of one user a minute. */
  perMinute: { read: number; write: number }
}

const routes: FastifyPluginAsyncTypebox<TodoOptions> = async (app, { perMinute }) => {
  const read = { service: 'todo_read', max: perMinute.read, seconds: 60 }
  const write = { service: 'todo_write', max: perMinute.write, seconds: 60 }

  app.post(
    '',
    {
      config: {
        auth: { permission: 'create:todo:me', apiKey: true },
        limit: write,
        audit: 'todo.created',
        idempotent: true,
        etag: 'row',
        cache: { invalidates: ['todos:{@caller}'] }
      },
      schema: {
        operationId: 'createTodo',
        tags: ['todos'],
        summary: 'Create a todo',
        description: 'Adds a todo to the list of the caller.',
        body: TodoCreate,
        response: { 201: created(Todo) }
      }
    },
    async (request, reply) => {
      const { status, body, location } = await request.write(
        (trx) => todos.create(trx, { ...request.body, owner_id: request.caller.user_id }, columns),
        (todo) => ({
          status: 201,
          body: success('Todo created successfully', todo),
          location: `/api/v1/todos/${todo.id}`
        })
      )
      return reply.code(status).header('location', location).send(body)
    }
  )

  app.get(
    '',
    {
      config: {
        auth: { permission: 'read:todo:me', apiKey: true },
        limit: read,
        etag: 'body',
        cache: { key: 'todos:list:{@caller}', ttl: 60, tags: ['todos:{@caller}'] }
      },
      schema: {
        operationId: 'listTodos',
        tags: ['todos'],
        summary: 'List todos',
        description: 'The todos of the caller, newest first. A page beyond the end is empty.',
        querystring: TodoQuery,
        response: { 200: pageEnvelope(Todo) }
      }
    },
    async ({ caller, query: { completed = null, q, ...request } }) => {
      const filter = { owner_id: caller.user_id, completed, pattern: q === undefined ? null : containing(q) }
      return page('Todos', await listTodos(app.db, filter, request))
    }
  )

  app.get(
    '/:todo_id',
    {
      config: {
        auth: { permission: 'read:todo:me', apiKey: true },
        limit: read,
        etag: 'row',
        cache: { prefix: 'todo', id: 'todo_id', ttl: 60 }
      },
      schema: {
        operationId: 'getTodo',
        tags: ['todos'],
        summary: 'Read a todo',
        description: 'One todo of the caller. Those of others answer like absent ones.',
        params: TodoParams,
        response: { 200: envelope(Todo), ...errors(404) }
      }
    },
    async ({ caller, params }) => {
      const todo = await todos.get(app.db, own(caller, params), columns)
      if (todo === undefined) throw new NotFound('Todo not found')
      return success('Todo', todo)
    }
  )

  app.patch(
    '/:todo_id',
    {
      config: {
        auth: { permission: 'update:todo:me', apiKey: true },
        limit: write,
        audit: 'todo.updated',
        etag: 'row',
        ifMatch: 'optional',
        cache: { prefix: 'todo', id: 'todo_id', invalidates: ['todos:{@caller}'] }
      },
      schema: {
        operationId: 'updateTodo',
        tags: ['todos'],
        summary: 'Change a todo',
        description: 'Only the sent fields change; `null` clears the description.',
        params: TodoParams,
        body: TodoUpdate,
        response: { 200: envelope(Todo), ...errors(404) }
      }
    },
    async (request) => {
      const mine = own(request.caller, request.params)
      const answer = await request.write(
        (trx) => todos.update(trx, { ...mine, ...request.ifMatch }, request.body, columns),
        (todo) => ({ status: 200, body: success('Todo updated successfully', todo) })
      )
      if (answer === undefined) throw await refusal(app.db, mine, request.ifMatch)
      return answer.body
    }
  )

  app.delete(
    '/:todo_id',
    {
      config: {
        auth: { permission: 'delete:todo:me', apiKey: true },
        limit: write,
        audit: 'todo.deleted',
        ifMatch: 'optional',
        cache: { prefix: 'todo', id: 'todo_id', invalidates: ['todos:{@caller}'] }
      },
      schema: {
        operationId: 'deleteTodo',
        tags: ['todos'],
        summary: 'Delete a todo',
        description: 'The todo disappears from every list.',
        params: TodoParams,
        response: { 204: Type.Null({ description: 'Deleted' }), ...errors(404) }
      }
    },
    async (request, reply) => {
      await request.transaction(async (trx) => {
        const mine = own(request.caller, request.params)
        const deleted = await todos.delete(trx, { ...mine, ...request.ifMatch })
        if (deleted === 0) throw await refusal(trx, mine, request.ifMatch)
        return { status: 204, body: null }
      })
      return reply.code(204).send(null)
    }
  )
}

export default routes
