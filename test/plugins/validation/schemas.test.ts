import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import { Type } from '@sinclair/typebox'
import Fastify from 'fastify'
import t from 'tap'
import validation from '../../../plugins/validation/index.ts'
import { Nullable, StringEnum, text } from '../../../plugins/validation/schema.ts'
import { taking } from './taking.ts'

t.test('a body is taken as it is: nothing is coerced, dropped or filled in by guess', async (t) => {
  const app = Fastify().withTypeProvider<TypeBoxTypeProvider>()
  t.teardown(() => app.close())
  await app.register(validation)
  const body = Type.Object(
    {
      text: Type.Optional(Type.String()),
      count: Type.Optional(Type.Integer()),
      flag: Type.Optional(Type.Boolean()),
      list: Type.Optional(Type.Array(Type.Integer())),
      size: Type.Optional(Type.Integer({ default: 7 }))
    },
    { additionalProperties: false }
  )
  app.post('/', { schema: { body } }, async ({ body }) => body)
  const post = (payload: object) => app.inject({ method: 'POST', url: '/', payload })

  for (const payload of [
    { text: 5 },
    { text: null },
    { count: '5' },
    { count: null },
    { count: 1.5 },
    { count: true },
    { flag: 'true' },
    { flag: 1 },
    { flag: null },
    { list: 1 },
    { list: ['1'] },
    { more: 1 },
    []
  ]) {
    t.equal((await post(payload)).statusCode, 400, JSON.stringify(payload))
  }
  const raw = await app.inject({
    method: 'POST',
    url: '/',
    headers: { 'content-type': 'application/json' },
    payload: '{"count":1.0}'
  })
  t.same(raw.json(), { count: 1, size: 7 })
})

t.test('query and path are turned into what their schema asks for, and bounded', async (t) => {
  const app = Fastify().withTypeProvider<TypeBoxTypeProvider>()
  t.teardown(() => app.close())
  await app.register(validation)
  const querystring = Type.Object(
    {
      page: Type.Optional(Type.Integer({ default: 1 })),
      size: Type.Optional(Type.Number()),
      flag: Type.Optional(Type.Boolean()),
      tag: Type.Optional(Type.Array(Type.String(), { maxItems: 2 })),
      name: Type.Optional(Type.String())
    },
    { additionalProperties: false }
  )
  const params = Type.Object({ id: Type.Integer() })
  app.get('/:id', { schema: { querystring, params } }, async ({ query, params }) => ({ ...params, ...query }))
  const get = async (path: string) => {
    const answer = await app.inject(path)
    return answer.statusCode === 200 ? answer.json() : answer.statusCode
  }

  t.same(await get('/5?page=2&flag=true&tag=a&name=5'), { id: 5, page: 2, flag: true, tag: ['a'], name: '5' })
  t.same(await get('/5?tag=a&tag=b'), { id: 5, page: 1, tag: ['a', 'b'] })
  t.same(await get(`/${Number.MAX_SAFE_INTEGER}`), { id: Number.MAX_SAFE_INTEGER, page: 1 })
  for (const path of [
    '/5?page=1&page=2',
    '/5?name=a&name=b',
    '/5?page=',
    '/5?page=x',
    '/5?page=1.5',
    '/5?page=NaN',
    '/5?page=1e400',
    '/5?size=1e400',
    '/5?size=-1e400',
    '/5?size=NaN',
    '/5?size=Infinity',
    '/5?page=9007199254740993',
    '/5?page=9223372036854775808',
    '/5?page=-9007199254740993',
    '/5?flag=yes',
    '/5?tag=a&tag=b&tag=c',
    '/5?more=1',
    '/5?__proto__=1',
    '/5?page[x]=1',
    '/x',
    '/9007199254740993'
  ]) {
    t.equal(await get(path), 400, path)
  }
})

t.test('V02, V03: NUL and what is not UTF-8 are refused in query and path', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(validation)
  app.get('/:name', async ({ params, query }) => ({ params, query }))
  const bad = [
    '/%00',
    '/a%00b',
    '/a?q=%00',
    '/a?%00=1',
    '/a?q=%ff',
    '/a?q=%ed%a0%80',
    '/a?q=%c0%80',
    '/a?q=%zz',
    '/a?q=%'
  ]
  for (const path of bad) {
    const answer = await app.inject(path)
    t.equal(answer.statusCode, 400, path)
  }
  const good = await app.inject('/%c3%a9?q=%f0%9f%98%80%2b+%25')
  t.same(good.json(), { params: { name: 'é' }, query: { q: '😀+ %' } })
})

t.test('the helpers say what they mean', async (t) => {
  const name = await taking(t, text(3, { minLength: 1 }))
  t.same(
    [await name('abc'), await name('😀😀😀'), await name(''), await name('abcd'), await name(null)],
    ['abc', '😀😀😀', 400, 400, 400]
  )

  const maybe = await taking(t, Nullable(text(3)))
  t.same([await maybe(null), await maybe('a'), await maybe('abcd'), await maybe(5)], [null, 'a', 400, 400])

  const role = await taking(t, Nullable(StringEnum(['user', 'admin'])))
  t.same([await role('user'), await role(null), await role('root')], ['user', null, 400])

  const either = await taking(t, Nullable(Type.Union([Type.Integer(), Type.Boolean()])))
  t.same([await either(null), await either(1), await either(true), await either('1')], [null, 1, true, 400])
})

t.test('every problem of a small value is told, the first of a large one', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(validation)
  app.setErrorHandler((error: { validation?: object[] }, _request, reply) =>
    reply.code(400).send({ count: error.validation?.length })
  )
  const body = Type.Object({ a: Type.Integer(), b: Type.Integer(), list: Type.Optional(Type.Array(Type.Integer())) })
  app.post('/', { schema: { body } }, async () => ({}))
  const post = (payload: object) => app.inject({ method: 'POST', url: '/', payload }).then((answer) => answer.json())

  t.same(await post({ a: 'x', list: ['y', 'z'] }), { count: 4 })
  t.same(await post({ a: 'x', list: Array.from({ length: 10_000 }, () => 'y') }), { count: 1 })
  t.same(await post({ a: 'x', b: 1 }), { count: 1 }, 'the problems of another request are not told again')
})

t.test('shared schemas can be referred to, and two that differ under one $id stop the start', async (t) => {
  const app = Fastify()
  await app.register(validation)
  app.addSchema({ $id: 'Count', type: 'integer' })
  app.post('/', { schema: { body: { type: 'object', properties: { n: { $ref: 'Count#' } } } } }, async () => ({}))
  await app.register(async (scope) => {
    scope.addSchema({ $id: 'Inner', type: 'boolean' })
    scope.post('/in', { schema: { body: { type: 'object', properties: { n: { $ref: 'Inner#' } } } } }, async () => ({}))
  })
  const post = (url: string, n: unknown) =>
    app.inject({ method: 'POST', url, payload: { n } }).then((a) => a.statusCode)
  t.same(
    [await post('/', 1), await post('/', 'x'), await post('/in', true), await post('/in', 1)],
    [200, 400, 200, 400]
  )
  await app.close()

  const clashing = Fastify()
  await clashing.register(validation)
  clashing.post('/a', { schema: { body: Type.Object({ a: Type.Integer() }, { $id: 'Same' }) } }, async () => ({}))
  clashing.post('/b', { schema: { body: Type.Object({ b: Type.Integer() }, { $id: 'Same' }) } }, async () => ({}))
  await t.rejects(async () => clashing.ready(), /Two different schemas have the \$id "Same"/)

  const same = Fastify()
  t.teardown(() => same.close())
  await same.register(validation)
  for (const url of ['/a', '/b']) {
    same.post(url, { schema: { body: Type.Object({ a: Type.Integer() }, { $id: 'Same' }) } }, async () => ({}))
  }
  await t.resolves(async () => same.ready())
})

t.test('what is no JSON Schema stops the start and says where, of a route as of the shared ones', async (t) => {
  const start = async (shared: object, body: object) => {
    const app = Fastify()
    t.teardown(() => app.close())
    await app.register(validation)
    app.addSchema({ $id: 'Shared', ...shared })
    app.post('/', { schema: { body } }, async () => ({}))
    await app.ready()
  }
  const right = { type: 'string', minLength: 1 }
  const wrong = { type: 'string', minLength: -1 }
  await t.resolves(start(right, right))
  await t.rejects(start(right, wrong), /schema is invalid: data\/minLength must be >= 0/)
  await t.rejects(start(wrong, right), /schema is invalid: data\/minLength must be >= 0/)
  await t.rejects(start(right, { type: 'object', properties: { a: 5 } }), /data\/properties\/a must be object,boolean/)
})
