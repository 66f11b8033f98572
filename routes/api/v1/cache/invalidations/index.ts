import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from '@sinclair/typebox'
import { text } from '../../../../../plugins/validation/schema.ts'

const CacheInvalidation = Type.Object(
  { tags: Type.Array(text(200, { minLength: 1 }), { minItems: 1, maxItems: 100, uniqueItems: true }) },
  { $id: 'CacheInvalidation', additionalProperties: false }
)

const invalidations: FastifyPluginAsyncTypebox = async (app) => {
  app.post(
    '',
    {
      config: { auth: { permission: 'delete:cache:all' } },
      schema: {
        operationId: 'invalidateCache',
        tags: ['cache'],
        summary: 'Drop cached answers',
        description:
          'Drops whatever carries one of the tags, e.g. `user:ana:posts` or `item:<id>`, on all instances. For data that was changed by other means than this API.',
        body: CacheInvalidation,
        response: { 204: Type.Null({ description: 'Dropped' }) }
      }
    },
    async ({ body }, reply) => {
      await app.cache.invalidate(...body.tags)
      return reply.code(204).send(null)
    }
  )
}

export default invalidations
