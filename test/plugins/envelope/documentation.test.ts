import swagger from '@fastify/swagger'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import { Type } from '@sinclair/typebox'
import Fastify from 'fastify'
import t, { type Test } from 'tap'
import envelope, { type Fault, serverOptions } from '../../../plugins/envelope/index.ts'
import {
  envelope as envelopeOf,
  errors,
  errorsAs,
  Message,
  PageQuery,
  page,
  pageEnvelope,
  success
} from '../../../plugins/envelope/schema.ts'

const Todo = Type.Object({ id: Type.Integer(), title: Type.String() }, { $id: 'Todo' })

async function startApp(t: Test) {
  const app = Fastify(serverOptions()).withTypeProvider<TypeBoxTypeProvider>()
  t.teardown(() => app.close())
  await app.register(swagger, {
    openapi: { openapi: '3.1.0' },
    refResolver: { buildLocalReference: (json, _base, _fragment, i) => String(json.$id ?? `def-${i}`) }
  })
  await app.register(envelope)
  return app
}

interface Operation {
  responses: Record<string, { description: string; content?: Record<string, { schema: unknown }>; headers?: unknown }>
}

t.test('every operation documents the answers of the framework beside its own', async (t) => {
  const app = await startApp(t)
  app.get('/', { schema: { response: { 200: envelopeOf(Todo) } } }, async () => success('Todo', { id: 1, title: 'x' }))
  const params = Type.Object({ id: Type.Integer() })
  app.get('/:id', { schema: { params, response: { 200: envelopeOf(Todo), ...errors(401, 404) } } }, async () =>
    success('Todo', { id: 1, title: 'x' })
  )
  const own = Type.Object({ own: Type.Boolean() }, { description: 'Own' })
  app.post('/', { schema: { body: Todo, response: { 201: Message, 422: own } } }, async () => success('Done', null))
  const hidden = { hide: true, response: { 200: Message } }
  app.get('/hidden', { schema: hidden }, async () => success('Done', null))
  await app.ready()

  // The document is data of another package; the tests below name what they read of it.
  const document = app.swagger() as unknown as {
    paths: Record<string, Record<string, Operation>>
    components: { schemas: Record<string, { required?: string[] }> }
  }
  const responses = (path: string, method: string) => document.paths[path]?.[method]?.responses ?? {}

  t.same(Object.keys(responses('/', 'get')), ['200', '400', '500', '503', 'default'])
  t.same(Object.keys(responses('/{id}', 'get')), ['200', '400', '401', '404', '422', '500', '503', 'default'])
  t.same(Object.keys(responses('/', 'post')), ['201', '400', '413', '415', '422', '500', '503', 'default'])
  t.equal(responses('/', 'post')['422']?.description, 'Own')
  t.notOk(document.paths['/hidden'])
  t.same(responses('/{id}', 'get')['404'], {
    description: 'Absent, or invisible to the caller',
    content: {
      'application/json': { schema: { $ref: '#/components/schemas/Error' } },
      'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } }
    }
  })
  t.ok(responses('/{id}', 'get')['401']?.headers)
  t.same(Object.keys(document.components.schemas).sort(), ['Error', 'Problem', 'Todo'])
  const required = ['status', 'code', 'message', 'error_code', 'request_id']
  t.same(document.components.schemas.Error?.required, required)

  t.equal((await app.inject({ method: 'HEAD', url: '/1' })).statusCode, 200)
  t.equal((await app.inject('/hidden')).statusCode, 200)
})

t.test('a route that tells errors in a shape of its own documents that one, and none of ours', async (t) => {
  const app = await startApp(t)
  const Refusal = Type.Object({ error: Type.String() }, { $id: 'Refusal' })
  app.addSchema(Refusal)
  const config = { fault: ({ status }: Fault) => ({ status, error_code: 'X', message: 'x', body: { error: 'x' } }) }
  const schema = { body: Todo, response: { 200: Message, ...errorsAs(Refusal, 400, 429) } }
  app.post('/', { config, schema }, async () => success('Done', null))
  await app.ready()

  // As above.
  const { paths } = app.swagger() as unknown as { paths: Record<string, Record<string, Operation>> }
  const responses = paths['/']?.post?.responses ?? {}
  t.same(Object.keys(responses), ['200', '400', '429'])
  t.same(responses['400']?.content, { 'application/json': { schema: { $ref: '#/components/schemas/Refusal' } } })
  t.match(responses['429'], { description: 'A limit is used up', headers: { 'Retry-After': {} } })
})

t.test('a page carries its members beside the array, and its query has bounds', async (t) => {
  const app = await startApp(t)
  app.get('/', { schema: { querystring: PageQuery, response: { 200: pageEnvelope(Todo) } } }, async ({ query }) =>
    page('Todos', { data: [{ id: 1, title: 'x' }], total_count: 12, is_total_exact: true, has_more: true, ...query })
  )

  t.same((await app.inject('/')).json(), {
    status: 'success',
    message: 'Todos',
    data: [{ id: 1, title: 'x' }],
    total_count: 12,
    is_total_exact: true,
    has_more: true,
    page: 1,
    items_per_page: 10
  })
  for (const query of ['page=0', 'page=2147483648', 'items_per_page=0', 'items_per_page=101', 'page=x']) {
    t.equal((await app.inject(`/?${query}`)).statusCode, 422, query)
  }
})

t.test('a handler is held to its schema by its types', async (t) => {
  const app = await startApp(t)
  const schema = { response: { 200: envelopeOf(Todo), ...errors(404) } }
  app.get('/right', { schema }, async () => success('Todo', { id: 1, title: 'x' }))
  // @ts-expect-error the title is missing
  app.get('/wrong', { schema }, async () => success('Todo', { id: 1 }))

  t.equal((await app.inject('/right')).statusCode, 200)
  t.equal((await app.inject('/wrong')).statusCode, 500)
})

t.test('documented errors cost nothing at the start', async (t) => {
  const compiled: unknown[] = []
  const app = Fastify(serverOptions())
  t.teardown(() => app.close())
  await app.register(envelope)
  app.addHook('onRoute', (route) => {
    compiled.push(...Object.keys(route.schema?.response ?? {}))
  })
  let serializers = new Set<unknown>()
  app.get('/', { schema: { response: { 200: envelopeOf(Todo), ...errors(404, 409) } } }, async (_request, reply) => {
    const statuses = [400, 404, 409, 500, 503]
    serializers = new Set(statuses.map((status) => reply.getSerializationFunction(String(status), 'application/json')))
    return success('Todo', { id: 1, title: 'x' })
  })

  await app.inject('/')

  t.ok(compiled.includes('404'))
  t.equal(serializers.size, 1, 'one function serves all of them')
  t.type([...serializers][0], 'function')
})
