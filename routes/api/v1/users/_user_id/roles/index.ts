import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from '@sinclair/typebox'
import type { FastifyRequest } from 'fastify'
import type { Kysely, Transaction } from 'kysely'
import { keepingAnAdmin, lackedBy, type SignInRules } from '../../../../../../db/rights.ts'
import { lockRole } from '../../../../../../db/roles.ts'
import type { Database } from '../../../../../../db/types.ts'
import { denyMissing } from '../../../../../../plugins/auth/errors.ts'
import { NotFound } from '../../../../../../plugins/envelope/errors.ts'
import {
  created,
  envelope,
  errors,
  PageQuery,
  page,
  pageEnvelope,
  success
} from '../../../../../../plugins/envelope/schema.ts'
import { Role, RoleParams } from '../../../roles/schema.ts'
import { lockSubordinate, targetOf } from '../../account.ts'
import { findUser } from '../../queries.ts'
import { RoleAssignment, UserParams } from '../../schema.ts'
import { deleteAssignment, findAssigned, insertAssignment, listAssigned } from './queries.ts'

const AssignmentParams = Type.Composite([UserParams, RoleParams])

const roles: FastifyPluginAsyncTypebox<SignInRules> = async (app, rules) => {
  app.get(
    '',
    {
      config: { auth: { permission: 'read:user_role:all' } },
      schema: {
        operationId: 'listUserRoles',
        tags: ['roles'],
        summary: 'List the roles of a user',
        description: 'The roles that somebody has, inactive ones too, by name.',
        params: UserParams,
        querystring: PageQuery,
        response: { 200: pageEnvelope(Role), ...errors(404) }
      }
    },
    async ({ params, query }) =>
      page('Roles of the user', await listAssigned(app.db, await keyOf(app.db, params), query))
  )

  app.post(
    '',
    {
      config: { auth: { permission: 'create:user_role:all' } },
      schema: {
        operationId: 'assignRole',
        tags: ['roles'],
        summary: 'Give a user a role',
        description:
          'Acts on their next request. Nobody gives a role that grants more than they have, or to who has more.',
        params: UserParams,
        body: RoleAssignment,
        response: { 201: created(Role), ...errors(404, 409) }
      }
    },
    async (request, reply) => {
      const { body, location } = await request.transaction(async (trx) => {
        const { role_id, permissions: _, ...role } = await requireRole(trx, request, request.body.role_id)
        const { id, user_id } = await lockSubordinate(trx, request, request.params.user_id)
        await insertAssignment(trx, user_id, role_id)
        await app.changes.record(trx, 'user', id)
        const details = { role: role.name, role_id: role.id }
        await app.audit.record(trx, { action: 'role.assigned', ...targetOf(id), details, request })
        return { status: 201, body: success('Role assigned', role), location: `/api/v1/users/${id}/roles/${role.id}` }
      })
      return reply.code(201).header('location', location).send(body)
    }
  )

  app.get(
    '/:role_id',
    {
      config: { auth: { permission: 'read:user_role:all' }, etag: 'body' },
      schema: {
        operationId: 'getUserRole',
        tags: ['roles'],
        summary: 'Read a role of a user',
        description: 'The role, if they have it.',
        params: AssignmentParams,
        response: { 200: envelope(Role), ...errors(404) }
      }
    },
    async ({ params }) => {
      const { user_id } = await keyOf(app.db, params)
      return readAssigned(app.db, user_id, params.role_id)
    }
  )

  app.delete(
    '/:role_id',
    {
      config: { auth: { permission: 'delete:user_role:all' }, ifMatch: 'optional' },
      schema: {
        operationId: 'unassignRole',
        tags: ['roles'],
        summary: 'Take a role from a user',
        description: 'Acts on their next request. The last administrator stays one: 409.',
        params: AssignmentParams,
        response: { 204: Type.Null({ description: 'Taken' }), ...errors(404, 409) }
      }
    },
    async (request, reply) => {
      await request.transaction((trx) =>
        keepingAnAdmin(trx, rules, async () => {
          const role = await requireRole(trx, request, request.params.role_id)
          const { id, user_id } = await lockSubordinate(trx, request, request.params.user_id)
          await reply.requireState(() => readAssigned(trx, user_id, role.id))
          if (!(await deleteAssignment(trx, user_id, role.role_id))) throw notAssigned()
          await app.changes.record(trx, 'user', id)
          const details = { role: role.name, role_id: role.id }
          await app.audit.record(trx, { action: 'role.unassigned', ...targetOf(id), details, request })
          return { status: 204, body: null }
        })
      )
      return reply.code(204).send(null)
    }
  )
}

const notAssigned = () => new NotFound('The user does not have this role')

async function readAssigned(db: Kysely<Database>, userId: number, roleId: string) {
  const role = await findAssigned(db, userId, roleId)
  if (role === undefined) throw notAssigned()
  return success('Role', role)
}

async function keyOf(db: Parameters<typeof findUser>[0], params: { user_id: string }) {
  const user = await findUser(db, params.user_id)
  if (user === undefined) throw new NotFound('User not found')
  return { user_id: user.user_id }
}

/** The role, which grants the same until the transaction ends, if the caller has all that it grants. */
async function requireRole(trx: Transaction<Database>, request: FastifyRequest, id: string) {
  const role = await lockRole(trx, id, 'forShare')
  if (role === undefined) throw new NotFound('Role not found')
  denyMissing(lackedBy(request.caller, role))
  return role
}

export default roles
