import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from '@sinclair/typebox'
import type { Transaction } from 'kysely'
import type { CursorOptions } from '../../../../db/cursors.ts'
import { containing } from '../../../../db/search.ts'
import type { Database } from '../../../../db/types.ts'
import type { Principal } from '../../../../plugins/auth/index.ts'
import { NotFound } from '../../../../plugins/envelope/errors.ts'
import {
  created,
  envelope,
  errors,
  listEnvelope,
  page,
  pageEnvelope,
  success
} from '../../../../plugins/envelope/schema.ts'
import {
  columns,
  findItem,
  items,
  listItems,
  listOwnItems,
  lockItem,
  searchItems,
  searchNewestItems,
  seenBy
} from './queries.ts'
import { Item, ItemCreate, ItemParams, ItemQuery, ItemSearch, ItemUpdate, OwnItemQuery } from './schema.ts'
import status, { type StatusOptions } from './status.ts'

export interface ItemOptions extends CursorOptions, StatusOptions {}

const absent = () => new NotFound('Item not found')

/** What the owner is answered about an item, which nobody else changes until the transaction ends. */
async function lockAnswer(trx: Transaction<Database>, caller: Principal, own: Parameters<typeof lockItem>[1]) {
  const item = await lockItem(trx, own)
  if (item === undefined) throw absent()
  return success('Item', seenBy(caller)(item))
}

const routes: FastifyPluginAsyncTypebox<ItemOptions> = async (app, { cursors, perMinute }) => {
  const write = { service: 'item_write', max: perMinute.write, seconds: 60 }
  await app.register(status, { perMinute })

  app.get(
    '',
    {
      config: { auth: 'optional', etag: 'body', cache: { key: 'items:list', ttl: 60, tags: ['items'] } },
      schema: {
        operationId: 'listItems',
        tags: ['items'],
        summary: 'List items',
        description:
          'What is published, never drafts. In pages, which reach the first 10 000, or with `limit` and `cursor`, which reach all at the same cost.',
        querystring: ItemQuery,
        response: { 200: listEnvelope(Item) }
      }
    },
    async ({ principal, query: { status, sort, ...request } }) =>
      page('Items', await listItems[sort](app.db, cursors, { status }, request), seenBy(principal))
  )

  app.get(
    '/mine',
    {
      config: { auth: { permission: 'read:item:me', apiKey: true } },
      schema: {
        operationId: 'listOwnItems',
        tags: ['items'],
        summary: 'List own items',
        description: 'Those of the caller in any status, newest first.',
        querystring: OwnItemQuery,
        response: { 200: pageEnvelope(Item) }
      }
    },
    async ({ caller, query: { status = null, ...request } }) =>
      page('Your items', await listOwnItems(app.db, { owner_id: caller.user_id, status }, request), seenBy(caller))
  )

  app.get(
    '/search',
    {
      config: { auth: 'optional' },
      schema: {
        operationId: 'searchItems',
        tags: ['items'],
        summary: 'Search items',
        description:
          'Active items with this text in title or description, newest first; pages reach the first 1000. Text without three letters or digits in a row is looked for in the newest 10 000 only.',
        querystring: ItemSearch,
        response: { 200: pageEnvelope(Item) }
      }
    },
    async ({ principal, query: { q, ...request } }) => {
      const search = /[\p{L}\p{N}]{3}/u.test(q) ? searchItems : searchNewestItems
      return page('Items', await search(app.db, { pattern: containing(q) }, request), seenBy(principal))
    }
  )

  app.post(
    '',
    {
      config: {
        auth: { permission: 'create:item:me', apiKey: true },
        limit: write,
        audit: 'item.created',
        idempotent: true,
        cache: { invalidates: ['items'] }
      },
      schema: {
        operationId: 'createItem',
        tags: ['items'],
        summary: 'Create an item',
        description: 'A draft, unless it is to be active at once.',
        body: ItemCreate,
        response: { 201: created(Item) }
      }
    },
    async (request, reply) => {
      const { caller } = request
      const { status, body, location } = await request.write(
        (trx) => items.create(trx, { ...request.body, owner_id: caller.user_id }, columns),
        (item) => ({
          status: 201,
          body: success('Item created successfully', seenBy(caller)(item)),
          location: `/api/v1/items/${item.id}`
        })
      )
      return reply.code(status).header('location', location).send(body)
    }
  )

  app.get(
    '/:item_id',
    {
      config: {
        auth: 'optional',
        etag: 'body',
        cache: { prefix: 'item', id: 'item_id', ttl: 60, tags: ['items:single'] }
      },
      schema: {
        operationId: 'getItem',
        tags: ['items'],
        summary: 'Read an item',
        description: 'Drafts answer like absent ones, except to their owner.',
        params: ItemParams,
        response: { 200: envelope(Item), ...errors(404) }
      }
    },
    async ({ principal, params }) => {
      const viewer = principal?.user_id ?? null
      const item = await findItem.executeTakeFirst(app.db, { id: params.item_id, viewer })
      if (item === undefined) throw absent()
      return success('Item', seenBy(principal)(item))
    }
  )

  app.patch(
    '/:item_id',
    {
      config: {
        auth: { permission: 'update:item:me', apiKey: true },
        limit: write,
        audit: 'item.updated',
        ifMatch: 'optional',
        cache: { prefix: 'item', id: 'item_id', invalidates: ['items'] }
      },
      schema: {
        operationId: 'updateItem',
        tags: ['items'],
        summary: 'Change an item',
        description: 'Only the sent fields change; `null` clears the description. The status has verbs of its own.',
        params: ItemParams,
        body: ItemUpdate,
        response: { 200: envelope(Item), ...errors(404) }
      }
    },
    async (request, reply) => {
      const { caller, params } = request
      const { body } = await request.transaction(async (trx) => {
        const own = { public_id: params.item_id, owner_id: caller.user_id }
        await reply.requireState(() => lockAnswer(trx, caller, own))
        const item = await items.update(trx, own, request.body, columns)
        if (item === undefined) throw absent()
        return { status: 200, body: success('Item updated successfully', seenBy(caller)(item)) }
      })
      return body
    }
  )

  app.delete(
    '/:item_id',
    {
      config: {
        auth: { permission: 'delete:item:me', apiKey: true },
        limit: write,
        audit: 'item.deleted',
        ifMatch: 'optional',
        cache: { prefix: 'item', id: 'item_id', invalidates: ['items'] }
      },
      schema: {
        operationId: 'deleteItem',
        tags: ['items'],
        summary: 'Delete an item',
        description: 'For good.',
        params: ItemParams,
        response: { 204: Type.Null({ description: 'Deleted' }), ...errors(404) }
      }
    },
    async (request, reply) => {
      const { caller, params } = request
      const own = { public_id: params.item_id, owner_id: caller.user_id }
      await request.transaction(async (trx) => {
        await reply.requireState(() => lockAnswer(trx, caller, own))
        if ((await items.hardDelete(trx, own)) === 0) throw absent()
        return { status: 204, body: null }
      })
      return reply.code(204).send(null)
    }
  )
}

export default routes
