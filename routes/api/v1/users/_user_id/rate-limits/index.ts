import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from '@sinclair/typebox'
import { envelope, errors, success } from '../../../../../../plugins/envelope/schema.ts'
import { QuotaStatus } from '../../../../../../plugins/rate-limit/schema.ts'
import { UserParams } from '../../schema.ts'
import { findTierOf } from '../tier/queries.ts'
import { requireVisible } from '../tier/visible.ts'

const rateLimits: FastifyPluginAsyncTypebox = async (app) => {
  app.get(
    '',
    {
      config: { auth: 'required' },
      schema: {
        operationId: 'getUserRateLimits',
        tags: ['users'],
        summary: 'Read the rate limits of a user',
        description: 'Every quota and what remains of it: for themselves and for who has `read:user:all`.',
        params: UserParams,
        response: { 200: envelope(Type.Array(QuotaStatus)), ...errors(404) }
      }
    },
    async (request) => {
      const { user_id } = request.params
      const tier = requireVisible(request, user_id, await findTierOf(app.db, user_id))
      return success('Rate limits', await app.limits.status(request, { key: `user:${user_id}`, tier: tier.id }))
    }
  )
}

export default rateLimits
