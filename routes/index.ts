import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { type Static, Type } from '@sinclair/typebox'
import { envelope, success } from '../plugins/envelope/schema.ts'
import { text } from '../plugins/validation/schema.ts'

const Welcome = Type.Object(
  {
    name: text(100),
    version: text(100),
    links: Type.Object({
      api: text(200),
      health: text(200),
      docs: Type.Optional(text(200)),
      redoc: Type.Optional(text(200)),
      openapi: Type.Optional(text(200))
    })
  },
  { $id: 'Welcome' }
)

/** What `GET /` says; the host hands it over when it loads the routes. */
export interface RootOptions {
  welcome: { message: string } & Static<typeof Welcome>
}

const root: FastifyPluginAsyncTypebox<RootOptions> = async (app, { welcome: { message, ...data } }) => {
  const body = success(message, data)
  app.get(
    '/',
    {
      config: { auth: 'public' },
      schema: {
        operationId: 'getWelcome',
        tags: ['service'],
        summary: 'Welcome',
        description: 'Names the service and its version, and links to what is worth a look.',
        response: { 200: envelope(Welcome) }
      }
    },
    () => body
  )
}

export default root
