import { Type } from '@sinclair/typebox'
import Fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import envelope, { serverOptions } from '../../../plugins/envelope/index.ts'
import { PageQuery } from '../../../plugins/envelope/schema.ts'
import validation from '../../../plugins/validation/index.ts'
import { Id, text } from '../../../plugins/validation/schema.ts'

async function startApp(t: Test, plugins = [envelope, validation]): Promise<FastifyInstance> {
  const app = Fastify(serverOptions())
  t.teardown(() => app.close())
  for (const plugin of plugins) await app.register(plugin)
  const body = Type.Object(
    { title: text(5, { minLength: 1 }), tags: Type.Optional(Type.Array(text(3), { maxItems: 2 })) },
    { additionalProperties: false }
  )
  app.post('/', { schema: { body, response: { 200: body } } }, async ({ body }) => body)
  app.get('/', { schema: { querystring: PageQuery } }, async ({ query }) => query)
  app.get('/:id', { schema: { params: Type.Object({ id: Id() }) } }, async ({ params }) => params)
  return app
}

t.test('in either order, all problems are told at once in the envelope', async (t) => {
  for (const plugins of [
    [envelope, validation],
    [validation, envelope]
  ]) {
    const app = await startApp(t, plugins)
    const answer = await app.inject({ method: 'POST', url: '/', payload: { tags: ['s3cret', 5], s3cre7: 1 } })
    t.equal(answer.statusCode, 422)
    t.same(answer.json(), {
      status: 'error',
      code: 422,
      error_code: 'VALIDATION_FAILED',
      message: 'Validation failed',
      errors: [
        { field: 'title', message: 'is required' },
        { field: 's3cre7', message: 'is not a known field' },
        { field: 'tags.0', message: 'must have at most 3 characters' },
        { field: 'tags.1', message: 'must be a string' }
      ],
      request_id: 'req-1'
    })
    t.same((await app.inject({ method: 'POST', url: '/', payload: { title: 'a' } })).json(), { title: 'a' })
  }
})

t.test('V02–V11: each refusal has its status and code, and repeats nothing of the request', async (t) => {
  const app = await startApp(t)
  const cases: [type: string, payload: string, status: number, error_code: string][] = [
    ['application/json', '{"title":"s3cret\\u0000"}', 400, 'MALFORMED_JSON'],
    ['application/json', '{"title":"s3cret","title":"s3cret"}', 400, 'MALFORMED_JSON'],
    ['application/json', '{"s3cret":', 400, 'MALFORMED_JSON'],
    ['application/json', '', 400, 'EMPTY_BODY'],
    ['application/json', '[]', 422, 'VALIDATION_FAILED'],
    ['application/json', '{"title":"s3cret"}', 422, 'VALIDATION_FAILED'],
    ['application/json; charset=utf-16', 's3cret', 415, 'UNSUPPORTED_MEDIA_TYPE'],
    ['text/plain', 's3cret', 415, 'UNSUPPORTED_MEDIA_TYPE']
  ]
  for (const [type, payload, status, error_code] of cases) {
    const answer = await app.inject({ method: 'POST', url: '/', headers: { 'content-type': type }, payload })
    t.equal(answer.statusCode, status, payload)
    t.equal(answer.headers['content-type'], 'application/json; charset=utf-8')
    t.match(answer.json(), { status: 'error', code: status, error_code })
    t.notMatch(answer.body, /s3cret/)
  }

  const urls: [url: string, status: number, error_code: string, field?: string][] = [
    ['/?page=0', 422, 'VALIDATION_FAILED', 'page'],
    ['/?page=1&page=2', 422, 'VALIDATION_FAILED', 'page'],
    ['/?s3cre7=1', 422, 'VALIDATION_FAILED', 's3cre7'],
    ['/s3cret', 422, 'VALIDATION_FAILED', 'id'],
    ['/?page=s3cret%00', 400, 'MALFORMED_URL'],
    ['/s3cret%ff', 400, 'MALFORMED_URL']
  ]
  for (const [url, status, error_code, field] of urls) {
    const answer = await app.inject(url)
    t.equal(answer.statusCode, status, url)
    t.match(answer.json(), { error_code, ...(field && { errors: [{ field }] }) })
    t.notMatch(answer.body, /s3cret/)
  }
})

t.test('V09: a compressed body is refused with what would be accepted', async (t) => {
  const app = await startApp(t)
  const headers = { 'content-type': 'application/json', 'content-encoding': 'gzip' }
  const answer = await app.inject({ method: 'POST', url: '/', headers, payload: 'x' })
  t.equal(answer.statusCode, 415)
  t.equal(answer.headers['accept-encoding'], 'identity')
  t.match(answer.json(), { error_code: 'UNSUPPORTED_CONTENT_ENCODING' })
})
