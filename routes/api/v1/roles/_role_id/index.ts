import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from '@sinclair/typebox'
import { ADMIN, keepingAnAdmin, lackedBy, type SignInRules } from '../../../../../db/rights.ts'
import { type DefaultRoleOptions, findRole, lockRole } from '../../../../../db/roles.ts'
import { denyMissing } from '../../../../../plugins/auth/errors.ts'
import { PreconditionFailed } from '../../../../../plugins/conditional/errors.ts'
import { Conflict, NotFound } from '../../../../../plugins/envelope/errors.ts'
import { envelope, errors, success } from '../../../../../plugins/envelope/schema.ts'
import { deleteRole, isAssigned, updateRole } from '../queries.ts'
import { Role, RoleParams, RoleUpdate } from '../schema.ts'

const role: FastifyPluginAsyncTypebox<DefaultRoleOptions & SignInRules> = async (
  app,
  { defaultRole, requireVerifiedEmail }
) => {
  const isProtected = (role: { name: string; is_protected: boolean }) => role.is_protected || role.name === defaultRole

  app.get(
    '',
    {
      config: { auth: { permission: 'read:role:all' }, etag: 'row' },
      schema: {
        operationId: 'getRole',
        tags: ['roles'],
        summary: 'Read a role',
        description: 'One role.',
        params: RoleParams,
        response: { 200: envelope(Role), ...errors(404) }
      }
    },
    async ({ params }) => {
      const role = await findRole(app.db, params.role_id)
      if (role === undefined) throw new NotFound('Role not found')
      return success('Role', role)
    }
  )

  app.patch(
    '',
    {
      config: { auth: { permission: 'update:role:all' }, etag: 'row', ifMatch: 'optional', audit: 'role.updated' },
      schema: {
        operationId: 'updateRole',
        tags: ['roles'],
        summary: 'Change a role',
        description:
          'Acts on the next request of everybody who holds it. A protected role keeps its name and stays as active and as powerful as it is; nobody changes a role that grants more than they have; the last administrator stays.',
        params: RoleParams,
        body: RoleUpdate,
        response: { 200: envelope(Role), ...errors(404, 409) }
      }
    },
    async (request) => {
      const { caller, params } = request
      const { description, ...powers } = request.body
      if (powers.is_admin !== undefined && !caller.is_admin) denyMissing([ADMIN])
      const { body } = await request.transaction((trx) =>
        keepingAnAdmin(trx, { requireVerifiedEmail }, async () => {
          const found = await lockRole(trx, params.role_id, 'forNoKeyUpdate')
          if (found === undefined) throw new NotFound('Role not found')
          denyMissing(lackedBy(caller, found))
          if (request.ifMatch?.row_version.includes(found.row_version) === false) throw new PreconditionFailed()
          if (isProtected(found) && Object.keys(powers).length > 0) throw new Conflict('This role is protected')
          const role = await updateRole(trx, params.role_id, request.body)
          await app.changes.record(trx, 'role', role.id)
          const details = app.audit.difference(found, request.body, ['name', 'is_admin', 'is_active'])
          return { status: 200, body: success('Role updated', role), details }
        })
      )
      return body
    }
  )

  app.delete(
    '',
    {
      config: { auth: { permission: 'delete:role:all' }, ifMatch: 'optional', audit: 'role.deleted' },
      schema: {
        operationId: 'deleteRole',
        tags: ['roles'],
        summary: 'Delete a role',
        description: 'A protected role and one that somebody holds answer 409.',
        params: RoleParams,
        response: { 204: Type.Null({ description: 'Deleted' }), ...errors(404, 409) }
      }
    },
    async (request, reply) => {
      const { caller, params } = request
      await request.transaction(async (trx) => {
        const found = await lockRole(trx, params.role_id, 'forUpdate')
        if (found === undefined) throw new NotFound('Role not found')
        denyMissing(lackedBy(caller, found))
        if (request.ifMatch?.row_version.includes(found.row_version) === false) throw new PreconditionFailed()
        if (isProtected(found)) throw new Conflict('This role is protected')
        if (await isAssigned(trx, found.role_id)) throw new Conflict('Somebody holds this role: unassign it first')
        await deleteRole(trx, found.role_id)
        return { status: 204, body: null, details: { name: found.name } }
      })
      return reply.code(204).send(null)
    }
  )
}

export default role
