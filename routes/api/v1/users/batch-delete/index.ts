import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { keepingAnAdmin, type SignInRules } from '../../../../../db/rights.ts'
import { closeAccount, lockSubordinate } from '../account.ts'
import { firstOfEach, repeated, runBatch, type Step } from '../batch/run.ts'
import { BatchResults, UserBatchDelete } from '../batch/schema.ts'
import { Removal } from '../schema.ts'

const batchDelete: FastifyPluginAsyncTypebox<SignInRules> = async (app, rules) => {
  app.post(
    '',
    {
      config: { auth: { permission: 'delete:user:all' } },
      schema: {
        operationId: 'deleteUsers',
        tags: ['users'],
        summary: 'Delete up to 100 users',
        description: 'Each item succeeds or fails for itself, as it would have alone.',
        body: UserBatchDelete,
        querystring: Removal,
        response: { 200: BatchResults }
      }
    },
    async (request) => {
      const { hard } = request.query
      const isFirst = firstOfEach()
      const steps = request.body.ids.map((id): Step => {
        if (!isFirst(id)) return repeated('id')
        return (trx) =>
          keepingAnAdmin(trx, rules, async () => {
            await closeAccount(app, trx, request, await lockSubordinate(trx, request, id, hard ? 'any' : 'live'), {
              hard
            })
            return { id, code: 204 }
          })
      })
      return runBatch(request, 'Users deleted', steps)
    }
  )
}

export default batchDelete
