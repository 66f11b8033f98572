import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { invalid } from '../../../../../../plugins/envelope/errors.ts'
import { envelope, errors, success } from '../../../../../../plugins/envelope/schema.ts'
import { lockSubordinate } from '../../account.ts'
import { UserParams } from '../../schema.ts'
import { assignTier, findTierOf } from './queries.ts'
import { TierAssignment, UserTier } from './schema.ts'
import { requireVisible } from './visible.ts'

const tier: FastifyPluginAsyncTypebox = async (app) => {
  app.get(
    '',
    {
      config: { auth: 'required', etag: 'body' },
      schema: {
        operationId: 'getUserTier',
        tags: ['users'],
        summary: 'Read the tier of a user',
        description: 'For themselves and for who has `read:user:all`.',
        params: UserParams,
        response: { 200: envelope(UserTier), ...errors(404) }
      }
    },
    async (request) => {
      const { user_id } = request.params
      return success('Tier', requireVisible(request, user_id, await findTierOf(app.db, user_id)))
    }
  )

  app.patch(
    '',
    {
      config: { auth: { permission: 'update:user:all' }, ifMatch: 'optional' },
      schema: {
        operationId: 'updateUserTier',
        tags: ['users'],
        summary: 'Give a user another tier',
        description: 'Acts on their next request here, and within a second elsewhere.',
        params: UserParams,
        body: TierAssignment,
        response: { 200: envelope(UserTier), ...errors(404) }
      }
    },
    async (request, reply) => {
      const { body } = await request.transaction(async (trx) => {
        const user = await lockSubordinate(trx, request, request.params.user_id, 'live')
        const before = await findTierOf(trx, user.id)
        await reply.requireState(() => success('Tier', before))
        const tier = await assignTier(trx, user.user_id, request.body.tier)
        if (tier === undefined) throw invalid('tier', 'is no tier')
        const details = { from: before?.name, to: tier.name }
        const target = { target_type: 'user', target_id: user.id }
        await app.audit.record(trx, { action: 'tier.changed', ...target, details, request })
        await app.changes.record(trx, 'user', user.id)
        return { status: 200, body: success('Tier changed', tier) }
      })
      return body
    }
  )
}

export default tier
