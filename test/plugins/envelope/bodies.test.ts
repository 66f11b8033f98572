import { Type } from '@sinclair/typebox'
import Fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import envelope, { serverOptions } from '../../../plugins/envelope/index.ts'
import { exchange, listen } from './server.ts'

async function startApp(t: Test): Promise<FastifyInstance> {
  const app = Fastify(serverOptions({ bodyLimitBytes: 1_000 }))
  t.teardown(() => app.close())
  await app.register(envelope)
  app.post('/', async ({ body }) => ({ body }))
  app.post('/big', { bodyLimit: 2_000 }, async () => ({ ok: true }))
  return app
}

t.test('a body that cannot be read is answered in the envelope, and not repeated', async (t) => {
  const app = await startApp(t)
  const json = 'application/json'
  const cases: [type: string, payload: string, status: number, error_code: string][] = [
    [json, '{"s3cret":', 400, 'MALFORMED_JSON'],
    [json, '{"__proto__":{"s3cret":1}}', 400, 'MALFORMED_JSON'],
    [json, '', 400, 'EMPTY_BODY'],
    [json, `"${'s3cret'.repeat(200)}"`, 413, 'PAYLOAD_TOO_LARGE'],
    ['application/s3cret', 's3cret', 415, 'UNSUPPORTED_MEDIA_TYPE'],
    ['s3cret', 's3cret', 415, 'UNSUPPORTED_MEDIA_TYPE']
  ]
  for (const [type, payload, status, error_code] of cases) {
    const answer = await app.inject({ method: 'POST', url: '/', headers: { 'content-type': type }, payload })
    t.equal(answer.statusCode, status)
    t.equal(answer.headers['content-type'], 'application/json; charset=utf-8')
    t.match(answer.json(), { status: 'error', code: status, error_code, message: String, request_id: 'req-' })
    t.notMatch(answer.body, /s3cret|proto/)
  }
})

t.test("a route's own limit takes the place of the common one", async (t) => {
  const app = await startApp(t)
  const post = (size: number) =>
    app.inject({ method: 'POST', url: '/big', payload: { text: 'x'.repeat(size) } }).then((answer) => answer.statusCode)
  t.same([await post(1_500), await post(2_500)], [200, 413])
})

t.test('V10: a client that sends far too much still reads the 413, with and without an announced length', async (t) => {
  const port = await listen(t, await startApp(t))
  const head = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n'
  const megabytes = 'x'.repeat(3_000_000)

  for (const request of [
    `${head}Content-Length: 3000000\r\n\r\n${megabytes}`,
    `${head}Transfer-Encoding: chunked\r\n\r\n2dc6c0\r\n${megabytes}\r\n0\r\n\r\n`
  ]) {
    const [answer, ...others] = await exchange(port, request, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    t.equal(answer?.status, 413)
    t.equal(answer?.headers.connection, 'close')
    t.same(others, [], 'nothing that follows is a request')
    t.match(JSON.parse(answer?.body ?? ''), { code: 413, error_code: 'PAYLOAD_TOO_LARGE' })
  }
})

t.test('what does not match its schema is answered with 422 and every field in dotted form', async (t) => {
  const app = Fastify({ ...serverOptions(), ajv: { customOptions: { allErrors: true, removeAdditional: false } } })
  t.teardown(() => app.close())
  await app.register(envelope)
  const body = Type.Object(
    {
      name: Type.String({ minLength: 1, maxLength: 3 }),
      age: Type.Optional(Type.Integer({ minimum: 18, maximum: 99 })),
      address: Type.Optional(Type.Object({ city: Type.String(), 'a/b~c': Type.Optional(Type.Boolean()) })),
      tags: Type.Optional(Type.Array(Type.String({ pattern: '^[a-z]+$' }), { maxItems: 2, uniqueItems: true })),
      role: Type.Optional(Type.Unsafe({ type: 'string', enum: ['user', 'admin'] })),
      mail: Type.Optional(Type.String({ format: 'email' }))
    },
    { additionalProperties: false }
  )
  const querystring = Type.Object({ page: Type.Integer() })
  app.post('/', { schema: { body } }, async () => ({}))
  app.get('/:id', { schema: { querystring, params: Type.Object({ id: Type.Integer() }) } }, async () => ({}))
  const post = async (payload: object) => {
    const answer = await app.inject({ method: 'POST', url: '/', payload })
    t.equal(answer.statusCode, 422)
    t.match(answer.json(), { error_code: 'VALIDATION_FAILED', message: 'Validation failed' })
    t.notMatch(answer.body, /s3cret/)
    return answer.json().errors
  }

  t.same(await post({}), [{ field: 'name', message: 'is required' }])
  t.same(await post({ name: 's3cret', age: 5, s3cre7: 1, address: { 'a/b~c': 's3cret' } }), [
    { field: 's3cre7', message: 'is not a known field' },
    { field: 'name', message: 'must have at most 3 characters' },
    { field: 'age', message: 'must be at least 18' },
    { field: 'address.city', message: 'is required' },
    { field: 'address.a/b~c', message: 'must be a boolean' }
  ])
  t.same(await post({ name: '', tags: ['a', 'A1', 'a'], role: 's3cret', mail: 's3cret' }), [
    { field: 'name', message: 'must not be empty' },
    { field: 'tags', message: 'must have at most 2 items' },
    { field: 'tags.1', message: 'has characters or a form that are not allowed' },
    { field: 'tags', message: 'must not hold the same item twice' },
    { field: 'role', message: 'must be one of user, admin' },
    { field: 'mail', message: 'must be an e-mail address' }
  ])
  t.same(await post([]), [{ field: 'body', message: 'must be an object' }])
  const unknown = await post({ name: 'a', ...Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`k${i}`, 1])) })
  t.equal(unknown.length, 20)
  t.equal((await post({ name: 'a', ['k'.repeat(500)]: 1 }))[0].field.length, 64)

  const query = await app.inject('/1')
  t.same(query.json().errors, [{ field: 'page', message: 'is required' }])
  const params = await app.inject('/s3cret?page=1')
  t.same(params.json().errors, [{ field: 'id', message: 'must be an integer' }])
})

t.test('each rule of a schema is told in plain words', async (t) => {
  const app = Fastify({ ...serverOptions(), ajv: { customOptions: { removeAdditional: false, coerceTypes: false } } })
  t.teardown(() => app.close())
  await app.register(envelope)
  const cases: [rule: object, value: unknown, message: string][] = [
    [{ type: 'string', minLength: 2 }, 'a', 'must have at least 2 characters'],
    [{ type: 'string', format: 'uuid' }, 'a', 'must be a UUID'],
    [{ type: 'string', format: 'date' }, 'a', 'must be a date (YYYY-MM-DD)'],
    [{ type: 'string', format: 'date-time' }, 'a', 'must be a date and time with an offset (ISO 8601)'],
    [{ type: 'string', format: 'uri' }, 'a', 'must be an absolute URI'],
    [{ type: 'string', format: 'ipv4' }, 'a', 'has the wrong format'],
    [{ type: 'string', const: 'x' }, 'a', 'must be x'],
    [{ type: 'number', maximum: 1 }, 2, 'must be at most 1'],
    [{ type: 'number', exclusiveMinimum: 1 }, 1, 'must be more than 1'],
    [{ type: 'number', exclusiveMaximum: 1 }, 1, 'must be less than 1'],
    [{ type: 'number', multipleOf: 2 }, 1, 'must be a multiple of 2'],
    [{ type: ['string', 'null'], nullable: true }, 1, 'must be a string or null'],
    [{ type: 'array' }, 1, 'must be an array'],
    [{ type: 'array', minItems: 1 }, [], 'must not be empty'],
    [{ type: 'array', minItems: 2 }, [], 'must have at least 2 items'],
    [{ type: 'object', minProperties: 1 }, {}, 'must have at least one field'],
    [{ type: 'object', minProperties: 2 }, {}, 'must have at least 2 fields'],
    [{ type: 'object', maxProperties: 0 }, { a: 1 }, 'must have at most 0 fields'],
    [{ type: 'object', propertyNames: { maxLength: 1 } }, { ab: 1 }, 'must have at most 1 characters'],
    [{ not: {} }, 1, 'is not valid']
  ]
  for (const [index, [rule]] of cases.entries()) {
    app.post(`/${index}`, { schema: { body: { type: 'object', properties: { value: rule } } } }, async () => ({}))
  }
  for (const [index, [, value, message]] of cases.entries()) {
    const answer = await app.inject({ method: 'POST', url: `/${index}`, payload: { value } })
    t.match(answer.json().errors?.[0], { field: /^value/, message }, message)
  }
})
