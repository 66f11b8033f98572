import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { ADMIN } from '../../../../db/rights.ts'
import { denyMissing } from '../../../../plugins/auth/errors.ts'
import { created, errors, PageQuery, page, pageEnvelope, success } from '../../../../plugins/envelope/schema.ts'
import { insertRole, listRoles } from './queries.ts'
import { Role, RoleCreate } from './schema.ts'

const roles: FastifyPluginAsyncTypebox = async (app) => {
  app.get(
    '',
    {
      config: { auth: { permission: 'read:role:all' } },
      schema: {
        operationId: 'listRoles',
        tags: ['roles'],
        summary: 'List roles',
        description: 'Every role, by name.',
        querystring: PageQuery,
        response: { 200: pageEnvelope(Role) }
      }
    },
    async ({ query }) => page('Roles', await listRoles(app.db, {}, query))
  )

  app.post(
    '',
    {
      config: { auth: { permission: 'create:role:all' }, etag: 'row', audit: 'role.created' },
      schema: {
        operationId: 'createRole',
        tags: ['roles'],
        summary: 'Create a role',
        description: 'A new role grants nothing yet. Only administrators create roles of administrators.',
        body: RoleCreate,
        response: { 201: created(Role), ...errors(409) }
      }
    },
    async (request, reply) => {
      if (request.body.is_admin && !request.caller.is_admin) denyMissing([ADMIN])
      const { body, location } = await request.transaction(async (trx) => {
        const role = await insertRole(trx, request.body)
        const details = app.audit.difference({}, request.body, ['name', 'is_admin'])
        return { status: 201, body: success('Role created', role), location: `/api/v1/roles/${role.id}`, details }
      })
      return reply.code(201).header('location', location).send(body)
    }
  )
}

export default roles
