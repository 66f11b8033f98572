import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from '@sinclair/typebox'
import { NotFound } from '../../../../../../../plugins/envelope/errors.ts'
import { envelope, errors, success } from '../../../../../../../plugins/envelope/schema.ts'
import { lockTier } from '../../../queries.ts'
import { TierRateLimit, TierRateLimitParams, TierRateLimitUpdate } from '../../../schema.ts'
import { deleteRateLimit, findRateLimit, lockRateLimit, updateRateLimit } from '../queries.ts'
import { requireRoute } from '../route-check.ts'

const absent = () => new NotFound('Rate limit not found')

const rateLimit: FastifyPluginAsyncTypebox = async (app) => {
  app.get(
    '',
    {
      config: { auth: 'required', etag: 'body' },
      schema: {
        operationId: 'getTierRateLimit',
        tags: ['tiers'],
        summary: 'Read a rate limit of a tier',
        description: 'One rule.',
        params: TierRateLimitParams,
        response: { 200: envelope(TierRateLimit), ...errors(404) }
      }
    },
    async ({ params }) => {
      const rule = await findRateLimit(app.db, params.name, params.rate_limit_id)
      if (rule === undefined) throw absent()
      return success('Rate limit', rule)
    }
  )

  app.patch(
    '',
    {
      config: { auth: { permission: 'update:tier:all' }, audit: 'rate_limit.updated', ifMatch: 'optional' },
      schema: {
        operationId: 'updateTierRateLimit',
        tags: ['tiers'],
        summary: 'Change a rate limit of a tier',
        description: 'Acts within a second. What was used counts on.',
        params: TierRateLimitParams,
        body: TierRateLimitUpdate,
        response: { 200: envelope(TierRateLimit), ...errors(404, 409) }
      }
    },
    async (request, reply) => {
      const { params, body: changes } = request
      const { body } = await request.transaction(async (trx) => {
        const tier = await lockTier(trx, params.name, 'forKeyShare')
        if (tier === undefined) throw absent()
        const found = await lockRateLimit(trx, tier.tier_id, params.rate_limit_id)
        if (found === undefined) throw absent()
        await reply.requireState(() => success('Rate limit', found))
        const rule = await updateRateLimit(trx, tier.tier_id, params.rate_limit_id, changes)
        requireRoute(app.limits, rule)
        await app.changes.record(trx, 'tier', tier.id)
        const shown = ['name', 'path', 'method', 'limit', 'period'] as const
        const details = { tier: tier.name, ...app.audit.difference(found, changes, [...shown]) }
        return { status: 200, body: success('Rate limit updated', rule), details }
      })
      return body
    }
  )

  app.delete(
    '',
    {
      config: { auth: { permission: 'update:tier:all' }, audit: 'rate_limit.deleted', ifMatch: 'optional' },
      schema: {
        operationId: 'deleteTierRateLimit',
        tags: ['tiers'],
        summary: 'Delete a rate limit of a tier',
        description: 'Acts within a second.',
        params: TierRateLimitParams,
        response: { 204: Type.Null({ description: 'Deleted' }), ...errors(404) }
      }
    },
    async (request, reply) => {
      const { name, rate_limit_id } = request.params
      await request.transaction(async (trx) => {
        const tier = await lockTier(trx, name, 'forKeyShare')
        if (tier === undefined) throw absent()
        const found = await lockRateLimit(trx, tier.tier_id, rate_limit_id)
        if (found === undefined) throw absent()
        await reply.requireState(() => success('Rate limit', found))
        await deleteRateLimit(trx, tier.tier_id, rate_limit_id)
        await app.changes.record(trx, 'tier', tier.id)
        return { status: 204, body: null, details: { tier: tier.name, path: found.path, method: found.method } }
      })
      return reply.code(204).send(null)
    }
  )
}

export default rateLimit
