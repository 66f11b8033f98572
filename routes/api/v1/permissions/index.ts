import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from '@sinclair/typebox'
import { lackedBy } from '../../../../db/rights.ts'
import { denyMissing } from '../../../../plugins/auth/errors.ts'
import { PreconditionFailed } from '../../../../plugins/conditional/errors.ts'
import { Conflict, NotFound } from '../../../../plugins/envelope/errors.ts'
import {
  created,
  envelope,
  errors,
  PageQuery,
  page,
  pageEnvelope,
  success
} from '../../../../plugins/envelope/schema.ts'
import {
  deletePermission,
  findPermission,
  insertPermission,
  listPermissions,
  lockPermission,
  rolesWith,
  updatePermission
} from './queries.ts'
import { Permission, PermissionCreate, PermissionParams, PermissionUpdate } from './schema.ts'

const permissions: FastifyPluginAsyncTypebox = async (app) => {
  app.get(
    '',
    {
      config: { auth: { permission: 'read:permission:all' } },
      schema: {
        operationId: 'listPermissions',
        tags: ['roles'],
        summary: 'List permissions',
        description: 'Every permission that roles can grant, by code.',
        querystring: PageQuery,
        response: { 200: pageEnvelope(Permission) }
      }
    },
    async ({ query }) => page('Permissions', await listPermissions(app.db, {}, query))
  )

  app.post(
    '',
    {
      config: { auth: { permission: 'create:permission:all' }, etag: 'row', audit: 'permission.created' },
      schema: {
        operationId: 'createPermission',
        tags: ['roles'],
        summary: 'Create a permission',
        description: 'Adds a code that roles can grant. Nobody but administrators has it before a role grants it.',
        body: PermissionCreate,
        response: { 201: created(Permission), ...errors(409) }
      }
    },
    async (request, reply) => {
      const { body, location } = await request.transaction(async (trx) => {
        const permission = await insertPermission(trx, request.body)
        for (const role of await rolesWith(trx, permission.id)) await app.changes.record(trx, 'role', role)
        const location = `/api/v1/permissions/${permission.id}`
        const details = app.audit.difference({}, request.body, ['code'])
        return { status: 201, body: success('Permission created', permission), location, details }
      })
      return reply.code(201).header('location', location).send(body)
    }
  )

  app.get(
    '/:permission_id',
    {
      config: { auth: { permission: 'read:permission:all' }, etag: 'row' },
      schema: {
        operationId: 'getPermission',
        tags: ['roles'],
        summary: 'Read a permission',
        description: 'One permission.',
        params: PermissionParams,
        response: { 200: envelope(Permission), ...errors(404) }
      }
    },
    async ({ params }) => {
      const permission = await findPermission(app.db, params.permission_id)
      if (permission === undefined) throw new NotFound('Permission not found')
      return success('Permission', permission)
    }
  )

  app.patch(
    '/:permission_id',
    {
      config: {
        auth: { permission: 'update:permission:all' },
        etag: 'row',
        ifMatch: 'optional',
        audit: 'permission.updated'
      },
      schema: {
        operationId: 'updatePermission',
        tags: ['roles'],
        summary: 'Change a permission',
        description: 'An inactive permission is granted to nobody, whatever roles say. Only its holders may change it.',
        params: PermissionParams,
        body: PermissionUpdate,
        response: { 200: envelope(Permission), ...errors(404) }
      }
    },
    async (request) => {
      const { caller, params } = request
      const { body } = await request.transaction(async (trx) => {
        const locked = await lockPermission(trx, params.permission_id)
        if (locked === undefined) throw new NotFound('Permission not found')
        denyMissing(lackedBy(caller, locked))
        if (request.ifMatch?.row_version.includes(locked.row_version) === false) throw new PreconditionFailed()
        const permission = await updatePermission(trx, params.permission_id, request.body)
        for (const role of await rolesWith(trx, permission.id)) await app.changes.record(trx, 'role', role)
        const details = { code: permission.code, ...app.audit.difference(locked, request.body, ['is_active']) }
        return { status: 200, body: success('Permission updated', permission), details }
      })
      return body
    }
  )

  app.delete(
    '/:permission_id',
    {
      config: { auth: { permission: 'delete:permission:all' }, ifMatch: 'optional', audit: 'permission.deleted' },
      schema: {
        operationId: 'deletePermission',
        tags: ['roles'],
        summary: 'Delete a permission',
        description: 'One that a role grants, or that the service itself asks for, answers 409.',
        params: PermissionParams,
        response: { 204: Type.Null({ description: 'Deleted' }), ...errors(404, 409) }
      }
    },
    async (request, reply) => {
      const { caller, params } = request
      await request.transaction(async (trx) => {
        const locked = await lockPermission(trx, params.permission_id)
        if (locked === undefined) throw new NotFound('Permission not found')
        denyMissing(lackedBy(caller, locked))
        if (request.ifMatch?.row_version.includes(locked.row_version) === false) throw new PreconditionFailed()
        if (locked.isBuiltIn) throw new Conflict('The service asks for this permission')
        if (locked.isGranted) throw new Conflict('A role grants this permission: revoke it first')
        for (const role of await rolesWith(trx, params.permission_id)) await app.changes.record(trx, 'role', role)
        await deletePermission(trx, params.permission_id)
        return { status: 204, body: null, details: { code: locked.code } }
      })
      return reply.code(204).send(null)
    }
  )
}

export default permissions
