import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { findTier } from '../../../../../../db/tiers.ts'
import { NotFound } from '../../../../../../plugins/envelope/errors.ts'
import { created, errors, PageQuery, page, pageEnvelope, success } from '../../../../../../plugins/envelope/schema.ts'
import { lockTier } from '../../queries.ts'
import { TierParams, TierRateLimit, TierRateLimitCreate } from '../../schema.ts'
import { insertRateLimit, listRateLimits } from './queries.ts'
import { requireRoute } from './route-check.ts'

const rateLimits: FastifyPluginAsyncTypebox = async (app) => {
  app.get(
    '',
    {
      config: { auth: 'required' },
      schema: {
        operationId: 'listTierRateLimits',
        tags: ['tiers'],
        summary: 'List the rate limits of a tier',
        description: 'By path.',
        params: TierParams,
        querystring: PageQuery,
        response: { 200: pageEnvelope(TierRateLimit), ...errors(404) }
      }
    },
    async ({ params, query }) => {
      if ((await findTier(app.db, params.name)) === undefined) throw new NotFound('Tier not found')
      return page('Rate limits', await listRateLimits(app.db, { tier: params.name }, query))
    }
  )

  app.post(
    '',
    {
      config: { auth: { permission: 'update:tier:all' }, audit: 'rate_limit.created' },
      schema: {
        operationId: 'createTierRateLimit',
        tags: ['tiers'],
        summary: 'Limit a route for a tier',
        description: 'Acts within a second. A second rule for the same path and method answers 409.',
        params: TierParams,
        body: TierRateLimitCreate,
        response: { 201: created(TierRateLimit), ...errors(404, 409) }
      }
    },
    async (request, reply) => {
      const { params, body: fields } = request
      requireRoute(app.limits, fields)
      const { body, location } = await request.transaction(async (trx) => {
        const tier = await lockTier(trx, params.name, 'forKeyShare')
        if (tier === undefined) throw new NotFound('Tier not found')
        const rule = await insertRateLimit(trx, tier.tier_id, fields)
        await app.changes.record(trx, 'tier', tier.id)
        const location = `/api/v1/tiers/${tier.name}/rate-limits/${rule.id}`
        const shown = ['name', 'path', 'method', 'limit', 'period'] as const
        const details = { tier: tier.name, ...app.audit.difference({}, fields, [...shown]) }
        return { status: 201, body: success('Rate limit created', rule), location, details }
      })
      return reply.code(201).header('location', location).send(body)
    }
  )
}

export default rateLimits
