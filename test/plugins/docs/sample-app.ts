import formbody from '@fastify/formbody'
import Fastify, { type FastifyInstance } from 'fastify'
import docs, { type DocsOptions } from '../../../plugins/docs/index.ts'

export const TOKEN = 'an-access-token'

/** A bare Fastify with the docs plugin, an OAuth2 token endpoint for ada / lovelace, and one operation behind it. */
export async function sampleApp(options: Partial<DocsOptions> = {}): Promise<FastifyInstance> {
  const app = Fastify()
  await app.register(formbody)
  await app.register(docs, {
    access: 'open',
    info: { title: 'Sample API', version: '1.2.3', license: { name: 'MIT', identifier: 'MIT' } },
    tags: [{ name: 'users', description: 'People' }],
    tokenUrl: '/token',
    ...options
  })
  app.addSchema({
    $id: 'Error',
    type: 'object',
    required: ['message'],
    properties: { message: { type: 'string' } }
  })
  app.post('/token', { schema: { hide: true } }, async (request, reply) => {
    // The sample trusts its own test to send a form.
    const form = request.body as Record<string, string>
    if (form.username !== 'ada' || form.password !== 'lovelace') return reply.code(400).send({ error: 'invalid_grant' })
    return { access_token: TOKEN, token_type: 'Bearer', expires_in: 900 }
  })
  app.get('/users/me', { schema: readMe }, async (request, reply) => {
    if (request.headers.authorization !== `Bearer ${TOKEN}`) return reply.code(401).send({ message: 'Sign in' })
    return { id: 7, username: 'ada' }
  })
  return app
}

const readMe = {
  operationId: 'readMe',
  tags: ['users'],
  summary: 'Read oneself',
  description: 'Answers with the account that is signed in.',
  security: [{ bearerAuth: [] }],
  response: {
    200: {
      $id: 'User',
      type: 'object',
      required: ['id', 'username'],
      properties: {
        id: { type: 'integer', minimum: 1, maximum: 9007199254740991 },
        username: { type: 'string', maxLength: 30 }
      }
    },
    401: { description: 'Not signed in', $ref: 'Error#' }
  }
}
