import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from '@sinclair/typebox'
import { type DefaultTierOptions, findTier } from '../../../../../db/tiers.ts'
import { Conflict, NotFound } from '../../../../../plugins/envelope/errors.ts'
import { envelope, errors, success } from '../../../../../plugins/envelope/schema.ts'
import { deleteTier, isTierUsed, lockTier, renameTier } from '../queries.ts'
import { Tier, TierFields, TierParams } from '../schema.ts'

const tier: FastifyPluginAsyncTypebox<DefaultTierOptions> = async (app, { defaultTier }) => {
  app.get(
    '',
    {
      config: { auth: 'required', etag: 'body' },
      schema: {
        operationId: 'getTier',
        tags: ['tiers'],
        summary: 'Read a tier',
        description: 'One tier.',
        params: TierParams,
        response: { 200: envelope(Tier), ...errors(404) }
      }
    },
    async ({ params }) => {
      const tier = await findTier(app.db, params.name)
      if (tier === undefined) throw new NotFound('Tier not found')
      return success('Tier', tier)
    }
  )

  app.patch(
    '',
    {
      config: { auth: { permission: 'update:tier:all' }, audit: 'tier.updated', ifMatch: 'optional' },
      schema: {
        operationId: 'updateTier',
        tags: ['tiers'],
        summary: 'Rename a tier',
        description: 'Its users keep it. The tier that new users get keeps its name.',
        params: TierParams,
        body: TierFields,
        response: { 200: envelope(Tier), ...errors(404, 409) }
      }
    },
    async (request, reply) => {
      const { body } = await request.transaction(async (trx) => {
        const found = await lockTier(trx, request.params.name, 'forNoKeyUpdate')
        if (found === undefined) throw new NotFound('Tier not found')
        await reply.requireState(() => success('Tier', found))
        if (found.name === defaultTier && request.body.name !== defaultTier)
          throw new Conflict('New users get this tier')
        const tier = await renameTier(trx, found.tier_id, request.body.name)
        await app.changes.record(trx, 'tier', tier.id)
        const details = app.audit.difference(found, request.body, ['name'])
        return { status: 200, body: success('Tier updated', tier), details }
      })
      return body
    }
  )

  app.delete(
    '',
    {
      config: { auth: { permission: 'delete:tier:all' }, audit: 'tier.deleted', ifMatch: 'optional' },
      schema: {
        operationId: 'deleteTier',
        tags: ['tiers'],
        summary: 'Delete a tier',
        description: 'With its rate limits. A tier that somebody has, and the one that new users get, answer 409.',
        params: TierParams,
        response: { 204: Type.Null({ description: 'Deleted' }), ...errors(404, 409) }
      }
    },
    async (request, reply) => {
      await request.transaction(async (trx) => {
        const found = await lockTier(trx, request.params.name, 'forUpdate')
        if (found === undefined) throw new NotFound('Tier not found')
        await reply.requireState(() => success('Tier', found))
        if (found.name === defaultTier) throw new Conflict('New users get this tier')
        if (await isTierUsed(trx, found.tier_id))
          throw new Conflict('Somebody has this tier: give them another one first')
        await deleteTier(trx, found.tier_id)
        await app.changes.record(trx, 'tier', found.id)
        return { status: 204, body: null, details: { name: found.name } }
      })
      return reply.code(204).send(null)
    }
  )
}

export default tier
