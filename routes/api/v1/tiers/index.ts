import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { insertTier } from '../../../../db/tiers.ts'
import { created, errors, PageQuery, page, pageEnvelope, success } from '../../../../plugins/envelope/schema.ts'
import { listTiers } from './queries.ts'
import { Tier, TierFields } from './schema.ts'

const tiers: FastifyPluginAsyncTypebox = async (app) => {
  app.get(
    '',
    {
      config: { auth: 'required' },
      schema: {
        operationId: 'listTiers',
        tags: ['tiers'],
        summary: 'List tiers',
        description: 'Every tier, by name.',
        querystring: PageQuery,
        response: { 200: pageEnvelope(Tier) }
      }
    },
    async ({ query }) => page('Tiers', await listTiers(app.db, {}, query))
  )

  app.post(
    '',
    {
      config: { auth: { permission: 'create:tier:all' }, audit: 'tier.created' },
      schema: {
        operationId: 'createTier',
        tags: ['tiers'],
        summary: 'Create a tier',
        description: 'A new tier has no rate limits of its own.',
        body: TierFields,
        response: { 201: created(Tier), ...errors(409) }
      }
    },
    async (request, reply) => {
      const { body, location } = await request.transaction(async (trx) => {
        const tier = await insertTier(trx, request.body.name)
        const details = app.audit.difference({}, request.body, ['name'])
        return { status: 201, body: success('Tier created', tier), location: `/api/v1/tiers/${tier.name}`, details }
      })
      return reply.code(201).header('location', location).send(body)
    }
  )
}

export default tiers
