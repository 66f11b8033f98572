import type { Resource } from './templates.ts'

/** The handlers, after the model of `routes/api/v1/todos`. */
export function routes({ names, isPublic }: Resource): string {
  const { singular, plural, path, type, types, variable, variables, title, words } = names
  const may = (action: string) => `{ permission: '${action}:${singular}:me', apiKey: true }`
  const read = isPublic ? `'public'` : may('read')
  const who = isPublic ? '' : ' of the caller'
  return `import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from '@sinclair/typebox'
import type { Kysely } from 'kysely'
import type { Database } from '../../../../db/types.ts'
import { absentOrChanged } from '../../../../plugins/conditional/errors.ts'
import { NotFound } from '../../../../plugins/envelope/errors.ts'
import { created, envelope, errors, PageQuery, page, pageEnvelope, success } from '../../../../plugins/envelope/schema.ts'
import { columns, list${types}, ${variables} } from './queries.ts'
import { ${type}, ${type}Create, ${type}Params, ${type}Update } from './schema.ts'

/** ${isPublic ? 'Others’ are not to be written' : 'Others’ are as good as absent'}. */
const own = (caller: { user_id: number }, params: { ${singular}_id: string }) => ({
  owner_id: caller.user_id,
  public_id: params.${singular}_id
})

/** Why an UPDATE found no row. */
const refusal = (db: Kysely<Database>, mine: ReturnType<typeof own>, ifMatch: object | undefined) =>
  absentOrChanged(ifMatch, () => ${variables}.exists(db, mine), new NotFound('${title} not found'))

export interface ${types}Options {
  /** Calls of one user a minute. */
  perMinute: { read: number; write: number }
}

const routes: FastifyPluginAsyncTypebox<${types}Options> = async (app, { perMinute }) => {
  const read = { service: '${singular}_read', max: perMinute.read, seconds: 60 }
  const write = { service: '${singular}_write', max: perMinute.write, seconds: 60 }

  app.post(
    '',
    {
      config: { auth: ${may('create')}, limit: write, audit: '${singular}.created', idempotent: true, etag: 'row' },
      schema: {
        operationId: 'create${type}',
        tags: ['${plural}'],
        summary: 'Create: ${words}',
        description: 'The caller becomes the owner.',
        body: ${type}Create,
        response: { 201: created(${type}) }
      }
    },
    async (request, reply) => {
      const { status, body, location } = await request.write(
        (trx) => ${variables}.create(trx, { ...request.body, owner_id: request.caller.user_id }, columns),
        (${variable}) => ({
          status: 201,
          body: success('${title} created successfully', ${variable}),
          location: \`/api/v1/${path}/\${${variable}.id}\`
        })
      )
      return reply.code(status).header('location', location).send(body)
    }
  )

  app.get(
    '',
    {
      config: { auth: ${read}, limit: read },
      schema: {
        operationId: 'list${types}',
        tags: ['${plural}'],
        summary: 'List ${words}',
        description: 'All${who}, newest first. A page beyond the end is empty.',
        querystring: PageQuery,
        response: { 200: pageEnvelope(${type}) }
      }
    },
    async ({ ${isPublic ? 'query' : 'caller, query'} }) =>
      page('${title} list', await list${types}(app.db, {${isPublic ? '' : ' owner_id: caller.user_id '}}, query))
  )

  app.get(
    '/:${singular}_id',
    {
      config: { auth: ${read}, limit: read, etag: 'row' },
      schema: {
        operationId: 'get${type}',
        tags: ['${plural}'],
        summary: 'Read: ${words}',
        description: 'One${who}.',
        params: ${type}Params,
        response: { 200: envelope(${type}), ...errors(404) }
      }
    },
    async ({ ${isPublic ? 'params' : 'caller, params'} }) => {
      const ${variable} = await ${variables}.get(app.db, ${isPublic ? `{ public_id: params.${singular}_id }` : 'own(caller, params)'}, columns)
      if (${variable} === undefined) throw new NotFound('${title} not found')
      return success('${title}', ${variable})
    }
  )

  app.patch(
    '/:${singular}_id',
    {
      config: { auth: ${may('update')}, limit: write, audit: '${singular}.updated', etag: 'row', ifMatch: 'optional' },
      schema: {
        operationId: 'update${type}',
        tags: ['${plural}'],
        summary: 'Change: ${words}',
        description: 'Only the sent fields change. Only the owner may.',
        params: ${type}Params,
        body: ${type}Update,
        response: { 200: envelope(${type}), ...errors(404) }
      }
    },
    async (request) => {
      const mine = own(request.caller, request.params)
      const answer = await request.write(
        (trx) => ${variables}.update(trx, { ...mine, ...request.ifMatch }, request.body, columns),
        (${variable}) => ({ status: 200, body: success('${title} updated successfully', ${variable}) })
      )
      if (answer === undefined) throw await refusal(app.db, mine, request.ifMatch)
      return answer.body
    }
  )

  app.delete(
    '/:${singular}_id',
    {
      config: { auth: ${may('delete')}, limit: write, audit: '${singular}.deleted', ifMatch: 'optional' },
      schema: {
        operationId: 'delete${type}',
        tags: ['${plural}'],
        summary: 'Delete: ${words}',
        description: 'It disappears from every list. Only the owner may.',
        params: ${type}Params,
        response: { 204: Type.Null({ description: 'Deleted' }), ...errors(404) }
      }
    },
    async (request, reply) => {
      await request.transaction(async (trx) => {
        const mine = own(request.caller, request.params)
        const deleted = await ${variables}.delete(trx, { ...mine, ...request.ifMatch })
        if (deleted === 0) throw await refusal(trx, mine, request.ifMatch)
        return { status: 204, body: null }
      })
      return reply.code(204).send(null)
    }
  )
}

export default routes
`
}
