import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from '@sinclair/typebox'
import { holdLiveUser } from '../../../../db/users.ts'
import type { IssuedKey } from '../../../../plugins/api-keys/index.ts'
import { PermissionDenied } from '../../../../plugins/auth/errors.ts'
import { NotFound, Unauthorized } from '../../../../plugins/envelope/errors.ts'
import { created, envelope, errors, success } from '../../../../plugins/envelope/schema.ts'
import { ApiKey, ApiKeyCreate, ApiKeyParams, ApiKeyRotate, ApiKeyUpdate, NewApiKey } from './schema.ts'

export interface ApiKeyRouteOptions {
  /** Longest life of a key, in days. */
  apiKeyMaxDays: number
}

/** Signed-in people only: no key makes, renews or changes keys. */
const apiKeys: FastifyPluginAsyncTypebox<ApiKeyRouteOptions> = async (app, { apiKeyMaxDays }) => {
  app.post(
    '',
    {
      config: { auth: 'required', audit: 'api_key.created' },
      schema: {
        operationId: 'createApiKey',
        tags: ['api-keys'],
        summary: 'Create an API key',
        description:
          'The key is in this answer only. Its scopes are permissions of the caller, by default all of them; it can never do more than its owner. While the owner is deactivated it is refused; deleting them ends it for good.',
        body: ApiKeyCreate(apiKeyMaxDays),
        response: { 201: created(NewApiKey), ...errors(403, 409) }
      }
    },
    async (request, reply) => {
      const { user_id, permissions } = request.caller
      const { name = null, days, scopes = [...permissions] } = request.body
      const missing = scopes.filter((scope) => !permissions.includes(scope))
      if (missing.length > 0) throw new PermissionDenied(missing)

      const { status, body, location } = await request.transaction(async (trx) => {
        if (!(await holdLiveUser(trx, user_id))) throw new Unauthorized('This account is no longer active')
        const key = await app.apiKeys.create(trx, { user_id, name, scopes, ...(days && { days }) })
        const location = `/api/v1/api-keys/${key.id}`
        const made = { name, scopes, expires_at: key.expires_at }
        const details = app.audit.difference({}, made, ['name', 'scopes', 'expires_at'])
        return { status: 201, body: success('API key created', shown(key)), location, details }
      })
      return reply.code(status).header('location', location).header('cache-control', 'no-store').send(body)
    }
  )

  app.get(
    '',
    {
      config: { auth: 'required' },
      schema: {
        operationId: 'listApiKeys',
        tags: ['api-keys'],
        summary: 'List own API keys',
        description: 'What is known of the keys of the caller, the newest first; never the keys themselves.',
        response: { 200: envelope(Type.Array(ApiKey, { maxItems: 1000 })) }
      }
    },
    async ({ caller }) => success('Your API keys', await app.apiKeys.list(app.db, caller.user_id))
  )

  app.get(
    '/:key_id',
    {
      config: { auth: 'required', etag: 'body' },
      schema: {
        operationId: 'getApiKey',
        tags: ['api-keys'],
        summary: 'Read an API key',
        description: 'What is known of one key of the caller. Those of others answer like absent ones.',
        params: ApiKeyParams,
        response: { 200: envelope(ApiKey), ...errors(404) }
      }
    },
    async ({ caller, params }) => {
      const key = await app.apiKeys.get(app.db, caller.user_id, params.key_id)
      if (key === undefined) throw notFound()
      return success('API key', key)
    }
  )

  app.patch(
    '/:key_id',
    {
      config: { auth: 'required', audit: 'api_key.updated', ifMatch: 'optional' },
      schema: {
        operationId: 'updateApiKey',
        tags: ['api-keys'],
        summary: 'Change an API key',
        description: 'Its name, whether it is active, and its scopes, which can only become fewer.',
        params: ApiKeyParams,
        body: ApiKeyUpdate,
        response: { 200: envelope(ApiKey), ...errors(404) }
      }
    },
    async (request, reply) => {
      const { body } = await request.transaction(async (trx) => {
        const { user_id } = request.caller
        const { key_id } = request.params
        const before = await app.apiKeys.lock(trx, user_id, key_id)
        if (before === undefined) throw notFound()
        await reply.requireState(() => success('API key', before))
        const key = await app.apiKeys.update(trx, user_id, key_id, request.body)
        if (key === undefined) throw notFound()
        const details = app.audit.difference(before, request.body, ['name', 'is_active', 'scopes'])
        return { status: 200, body: success('API key updated', key), details }
      })
      return body
    }
  )

  app.post(
    '/:key_id/rotate',
    {
      config: { auth: 'required', audit: 'api_key.rotated' },
      schema: {
        operationId: 'rotateApiKey',
        tags: ['api-keys'],
        summary: 'Rotate an API key',
        description:
          'A new secret for the same key. The one before stays good for a while, so that programs can change over.',
        params: ApiKeyParams,
        body: ApiKeyRotate(apiKeyMaxDays),
        response: { 200: envelope(NewApiKey), ...errors(404) }
      }
    },
    async (request, reply) => {
      const { days, overlap_seconds: overlapSeconds = 86_400 } = request.body
      const options = { overlapSeconds, ...(days && { days }) }
      const { body } = await request.transaction(async (trx) => {
        const key = await app.apiKeys.rotate(trx, request.caller.user_id, request.params.key_id, options)
        if (key === undefined) throw notFound()
        const details = { expires_at: key.expires_at, overlap_seconds: overlapSeconds }
        return { status: 200, body: success('API key rotated', shown(key)), details }
      })
      reply.header('cache-control', 'no-store')
      return body
    }
  )

  app.delete(
    '/:key_id',
    {
      config: { auth: 'required', audit: 'api_key.revoked', ifMatch: 'optional' },
      schema: {
        operationId: 'revokeApiKey',
        tags: ['api-keys'],
        summary: 'Revoke an API key',
        description: 'The next request with it is refused, here at once and everywhere within a second.',
        params: ApiKeyParams,
        response: { 204: Type.Null({ description: 'Revoked' }), ...errors(404) }
      }
    },
    async (request, reply) => {
      await request.transaction(async (trx) => {
        const { user_id } = request.caller
        const { key_id } = request.params
        const key = await app.apiKeys.lock(trx, user_id, key_id)
        if (key === undefined) throw notFound()
        await reply.requireState(() => success('API key', key))
        await app.apiKeys.revoke(trx, user_id, key_id)
        return { status: 204, body: null }
      })
      return reply.code(204).send(null)
    }
  )
}

const notFound = () => new NotFound('There is no such API key')
const shown = ({ text, ...key }: IssuedKey) => ({ api_key: text, ...key })

export default apiKeys
