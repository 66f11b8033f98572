import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from '@sinclair/typebox'
import type { Kysely } from 'kysely'
import type { Database } from '../../../../../../db/types.ts'
import { normalizeUsername } from '../../../../../../db/users.ts'
import { PermissionDenied } from '../../../../../../plugins/auth/errors.ts'
import type { Principal } from '../../../../../../plugins/auth/index.ts'
import { absentOrChanged } from '../../../../../../plugins/conditional/errors.ts'
import { Forbidden, NotFound } from '../../../../../../plugins/envelope/errors.ts'
import {
  created,
  envelope,
  errors,
  PageQuery,
  page,
  pageEnvelope,
  success
} from '../../../../../../plugins/envelope/schema.ts'
import { columns, findAuthor, findPost, listPosts, posts } from './queries.ts'
import { AuthorParams, Deletion, Post, PostCreate, PostParams, PostUpdate } from './schema.ts'

export interface PostOptions {
  /** Calls of one user a minute. */
  perMinute: { write: number }
}

const routes: FastifyPluginAsyncTypebox<PostOptions> = async (app, { perMinute }) => {
  const write = { service: 'post_write', max: perMinute.write, seconds: 60 }

  // As stored, before anything looks at it: one author has one name in the cache, too.
  app.addHook<{ Params: { username: string } }>('preHandler', async ({ params }) => {
    params.username = normalizeUsername(params.username) ?? ''
  })

  app.get(
    '',
    {
      config: {
        auth: 'public',
        etag: 'body',
        cache: {
          key: '{username}_posts:page_{page}:items_per_page_{items_per_page}',
          ttl: 60,
          tags: ['user:{username}:posts'],
          client: true
        }
      },
      schema: {
        operationId: 'listPosts',
        tags: ['posts'],
        summary: 'List posts',
        description: 'What a user published, newest first. Anybody may read.',
        params: AuthorParams,
        querystring: PageQuery,
        response: { 200: pageEnvelope(Post), ...errors(404) }
      }
    },
    async ({ params, query }) => {
      const owner_id = await findAuthor(app.db, params.username)
      if (owner_id === undefined) throw new NotFound('User not found')
      return page('Posts', await listPosts(app.db, { owner_id }, query))
    }
  )

  app.post(
    '',
    {
      config: {
        auth: { permission: 'create:post:me', apiKey: true },
        limit: write,
        audit: 'post.created',
        idempotent: true,
        etag: 'row',
        cache: { invalidates: ['user:{username}:posts'] }
      },
      schema: {
        operationId: 'createPost',
        tags: ['posts'],
        summary: 'Publish a post',
        description: 'Under one’s own username only.',
        params: AuthorParams,
        body: PostCreate,
        response: { 201: created(Post) }
      }
    },
    async (request, reply) => {
      const { user_id, username } = asAuthor(request)
      const { status, body, location } = await request.write(
        (trx) => posts.create(trx, { ...request.body, owner_id: user_id }, columns),
        (post) => ({
          status: 201,
          body: success('Post created successfully', post),
          location: `/api/v1/users/${username}/posts/${post.id}`
        })
      )
      return reply.code(status).header('location', location).send(body)
    }
  )

  app.get(
    '/:post_id',
    {
      config: {
        auth: 'public',
        etag: 'row',
        cache: { prefix: '{username}_post', id: 'post_id', ttl: 60, tags: ['user:{username}'], client: true }
      },
      schema: {
        operationId: 'getPost',
        tags: ['posts'],
        summary: 'Read a post',
        description: 'One post, found under the name of its author only.',
        params: PostParams,
        response: { 200: envelope(Post), ...errors(404) }
      }
    },
    async ({ params }) => {
      const post = await findPost.executeTakeFirst(app.db, { id: params.post_id, username: params.username })
      if (post === undefined) throw new NotFound('Post not found')
      return success('Post', post)
    }
  )

  app.patch(
    '/:post_id',
    {
      config: {
        auth: { permission: 'update:post:me', apiKey: true },
        limit: write,
        audit: 'post.updated',
        etag: 'row',
        ifMatch: 'optional',
        cache: { prefix: '{username}_post', id: 'post_id', invalidates: ['user:{username}:posts'] }
      },
      schema: {
        operationId: 'updatePost',
        tags: ['posts'],
        summary: 'Change a post',
        description: 'Only the sent fields change; `null` clears the media URL. One’s own posts only.',
        params: PostParams,
        body: PostUpdate,
        response: { 200: envelope(Post), ...errors(404) }
      }
    },
    async (request) => {
      const own = { public_id: request.params.post_id, owner_id: asAuthor(request).user_id }
      const answer = await request.write(
        (trx) => posts.update(trx, { ...own, ...request.ifMatch }, request.body, columns),
        (post) => ({ status: 200, body: success('Post updated successfully', post) })
      )
      if (answer === undefined) throw await refusal(app.db, own, request.ifMatch)
      return answer.body
    }
  )

  app.delete(
    '/:post_id',
    {
      config: {
        auth: { permission: 'delete:post:me', apiKey: true },
        limit: write,
        audit: 'post.deleted',
        ifMatch: 'optional',
        cache: { prefix: '{username}_post', id: 'post_id', invalidates: ['user:{username}:posts'] }
      },
      schema: {
        operationId: 'deletePost',
        tags: ['posts'],
        summary: 'Delete a post',
        description: 'It disappears for everybody. Administrators may remove anybody’s post for good.',
        params: PostParams,
        querystring: Deletion,
        response: { 204: Type.Null({ description: 'Deleted' }), ...errors(404) }
      }
    },
    async (request, reply) => {
      const { post_id: public_id } = request.params
      const { hard } = request.query
      if (hard && !request.can('delete:post:all')) throw new PermissionDenied(['delete:post:all'])
      const owner_id = hard ? await findAuthor(app.db, request.params.username) : asAuthor(request).user_id
      if (owner_id === undefined) throw new NotFound('User not found')
      await request.transaction(async (trx) => {
        const own = { public_id, owner_id }
        const deleted = await posts[hard ? 'hardDelete' : 'delete'](trx, { ...own, ...request.ifMatch })
        if (deleted === 0) throw await refusal(trx, own, request.ifMatch)
        return { status: 204, body: null }
      })
      return reply.code(204).send(null)
    }
  )
}

/** Why an UPDATE found no row. */
const refusal = (db: Kysely<Database>, own: { public_id: string; owner_id: number }, ifMatch?: object) =>
  absentOrChanged(ifMatch, () => posts.exists(db, own), new NotFound('Post not found'))

/** @throws Forbidden under a name that is not the caller's */
function asAuthor({ caller, params }: { caller: Principal; params: { username: string } }): Principal {
  if (params.username !== caller.username) throw new Forbidden('Posts are written under one’s own username only')
  return caller
}

export default routes
