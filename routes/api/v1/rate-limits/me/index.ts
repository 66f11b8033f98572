import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from '@sinclair/typebox'
import { envelope, success } from '../../../../../plugins/envelope/schema.ts'
import { QuotaStatus } from '../../../../../plugins/rate-limit/schema.ts'

const mine: FastifyPluginAsyncTypebox = async (app) => {
  app.get(
    '',
    {
      // Looking must not change what is looked at; the address still pays for it.
      config: { auth: 'required', limit: 'address' },
      schema: {
        operationId: 'getMyRateLimits',
        tags: ['rate-limits'],
        summary: 'Read own rate limits',
        description: 'Every quota of the caller and what remains of it; asking uses none of them.',
        response: { 200: envelope(Type.Array(QuotaStatus)) }
      }
    },
    async (request) => success('Your rate limits', await app.limits.status(request))
  )
}

export default mine
