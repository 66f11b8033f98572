import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Conflict, NotFound } from '../../../../plugins/envelope/errors.ts'
import { envelope, errors, success } from '../../../../plugins/envelope/schema.ts'
import { items, moveItem, seenBy } from './queries.ts'
import { Item, ItemParams } from './schema.ts'

const verbs = [
  { verb: 'activate', to: 'active', from: ['draft', 'archived'], summary: 'Publish an item' },
  { verb: 'archive', to: 'archived', from: ['active'], summary: 'Archive an item' }
] as const

export interface StatusOptions {
  /** Calls of one user a minute. */
  perMinute: { write: number }
}

/** The status changes by verbs, not by PATCH: each names what it needs and is refused elsewhere. */
const status: FastifyPluginAsyncTypebox<StatusOptions> = async (app, { perMinute }) => {
  for (const { verb, to, from, summary } of verbs) {
    app.post(
      `/:item_id/${verb}`,
      {
        config: {
          auth: { permission: 'update:item:me', apiKey: true },
          limit: { service: 'item_write', max: perMinute.write, seconds: 60 },
          audit: `item.${to === 'active' ? 'activated' : 'archived'}`,
          cache: { prefix: 'item', id: 'item_id', invalidates: ['items'] }
        },
        schema: {
          operationId: `${verb}Item`,
          tags: ['items'],
          summary,
          description: `An item of one’s own that is ${from.join(' or ')}; in any other status, 409.`,
          params: ItemParams,
          response: { 200: envelope(Item), ...errors(404, 409) }
        }
      },
      async (request) => {
        const { caller, params } = request
        const own = { public_id: params.item_id, owner_id: caller.user_id }
        const { body } = await request.transaction(async (trx) => {
          const item = await moveItem(trx, own, [...from], to)
          if (item !== undefined) return { status: 200, body: success(`Item ${to}`, seenBy(caller)(item)) }
          if (await items.exists(trx, own)) throw new Conflict(`Only what is ${from.join(' or ')} can be made ${to}`)
          throw new NotFound('Item not found')
        })
        return body
      }
    )
  }
}

export default status
