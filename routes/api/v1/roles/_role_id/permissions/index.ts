import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from '@sinclair/typebox'
import type { Kysely, Transaction } from 'kysely'
import { lackedBy, type Rights } from '../../../../../../db/rights.ts'
import { findRole, lockRole } from '../../../../../../db/roles.ts'
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
import { Permission, PermissionParams } from '../../../permissions/schema.ts'
import { PermissionGrant, RoleParams } from '../../schema.ts'
import { deleteGrant, findGranted, findPermission, insertGrant, listGranted } from './queries.ts'

const GrantParams = Type.Composite([RoleParams, PermissionParams])

const grants: FastifyPluginAsyncTypebox = async (app) => {
  app.get(
    '',
    {
      config: { auth: { permission: 'read:role_permission:all' } },
      schema: {
        operationId: 'listRolePermissions',
        tags: ['roles'],
        summary: 'List what a role grants',
        description: 'The permissions of a role, by code. An administrator role has all of them, listed here or not.',
        params: RoleParams,
        querystring: PageQuery,
        response: { 200: pageEnvelope(Permission), ...errors(404) }
      }
    },
    async ({ params, query }) => {
      if ((await findRole(app.db, params.role_id)) === undefined) throw new NotFound('Role not found')
      return page('Permissions of the role', await listGranted(app.db, params, query))
    }
  )

  app.post(
    '',
    {
      config: { auth: { permission: 'create:role_permission:all' } },
      schema: {
        operationId: 'grantPermission',
        tags: ['roles'],
        summary: 'Grant a permission to a role',
        description: 'Acts on the next request of everybody who holds the role. Nobody grants what they lack.',
        params: RoleParams,
        body: PermissionGrant,
        response: { 201: created(Permission), ...errors(404, 409) }
      }
    },
    async (request, reply) => {
      const { role_id } = request.params
      const { permission_id } = request.body
      const { body, location } = await request.transaction(async (trx) => {
        const { role, permission, key } = await requireRights(trx, request.caller, role_id, permission_id)
        await insertGrant(trx, role.role_id, key)
        await app.changes.record(trx, 'role', role.id)
        await app.audit.record(trx, { action: 'permission.granted', ...eventOf(role, permission), request })
        const location = `/api/v1/roles/${role_id}/permissions/${permission_id}`
        return { status: 201, body: success('Permission granted', permission), location }
      })
      return reply.code(201).header('location', location).send(body)
    }
  )

  app.get(
    '/:permission_id',
    {
      config: { auth: { permission: 'read:role_permission:all' }, etag: 'body' },
      schema: {
        operationId: 'getRolePermission',
        tags: ['roles'],
        summary: 'Read what a role grants',
        description: 'The permission, if the role grants it.',
        params: GrantParams,
        response: { 200: envelope(Permission), ...errors(404) }
      }
    },
    async ({ params }) => readGranted(app.db, params)
  )

  app.delete(
    '/:permission_id',
    {
      config: { auth: { permission: 'delete:role_permission:all' }, ifMatch: 'optional' },
      schema: {
        operationId: 'revokePermission',
        tags: ['roles'],
        summary: 'Revoke a permission from a role',
        description: 'Acts on the next request of everybody who holds the role.',
        params: GrantParams,
        response: { 204: Type.Null({ description: 'Revoked' }), ...errors(404) }
      }
    },
    async (request, reply) => {
      const { role_id, permission_id } = request.params
      await request.transaction(async (trx) => {
        const { role, permission, key } = await requireRights(trx, request.caller, role_id, permission_id)
        await reply.requireState(() => readGranted(trx, request.params))
        if (!(await deleteGrant(trx, role.role_id, key))) throw notGranted()
        await app.changes.record(trx, 'role', role.id)
        await app.audit.record(trx, { action: 'permission.revoked', ...eventOf(role, permission), request })
        return { status: 204, body: null }
      })
      return reply.code(204).send(null)
    }
  )
}

const notGranted = () => new NotFound('The role does not grant this permission')

async function readGranted(
  db: Kysely<Database>,
  { role_id, permission_id }: { role_id: string; permission_id: string }
) {
  const permission = await findGranted(db, role_id, permission_id)
  if (permission === undefined) throw notGranted()
  return success('Permission', permission)
}

/** Both, and the internal key of the permission, if the caller has all that the role grants, and the permission. */
async function requireRights(trx: Transaction<Database>, caller: Rights, roleId: string, permissionId: string) {
  const role = await lockRole(trx, roleId, 'forNoKeyUpdate')
  if (role === undefined) throw new NotFound('Role not found')
  const found = await findPermission(trx, permissionId)
  if (found === undefined) throw new NotFound('Permission not found')
  const { key, ...permission } = found
  const codes = new Set([...role.permissions, permission.code])
  denyMissing(lackedBy(caller, { is_admin: role.is_admin, permissions: [...codes] }))
  return { role, permission, key }
}

const eventOf = (role: { id: string }, { code }: { code: string }) => ({
  target_type: 'role',
  target_id: role.id,
  details: { permission: code }
})

export default grants
