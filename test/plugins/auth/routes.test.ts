import type { RouteOptions } from 'fastify'
import t from 'tap'
import { startHost } from './host.ts'

t.test('Z01 a route that does not declare its access stops the start, and all such routes are named', async (t) => {
  const { app } = await startHost(t)
  app.get('/forgotten', () => ({}))
  app.register(
    async (scope) => {
      scope.post('/too', { config: {} }, () => ({}))
    },
    { prefix: '/nested' }
  )

  await t.rejects(async () => app.ready(), {
    message:
      "Route GET /forgotten, HEAD /forgotten, POST /nested/too declares no config.auth: add config: { auth: 'public' | 'optional' | 'required' | { permission } }"
  })
})

t.test('an unknown access stops the start', async (t) => {
  for (const auth of ['publik', 'constructor', true, null]) {
    const { app } = await startHost(t)
    t.throws(
      () => app.get('/odd', { config: { auth: auth as 'public' } }, () => ({})),
      { message: `Route GET /odd has an unknown config.auth: ${auth}` },
      String(auth)
    )
  }
})

t.test('Z12 HEAD asks for what its GET asks for', async (t) => {
  const { app, signIn } = await startHost(t)
  const headers = signIn('ana', 's1')
  t.equal((await app.inject({ method: 'HEAD', url: '/required' })).statusCode, 401)
  t.equal((await app.inject({ method: 'HEAD', url: '/required', headers })).statusCode, 200)
  t.equal((await app.inject({ method: 'HEAD', url: '/public' })).statusCode, 200)
})

t.test('routes of several methods, of nested scopes and of prefixes are guarded alike', async (t) => {
  const { app, signIn } = await startHost(t)
  app.route({ method: ['PUT', 'DELETE'], url: '/many', config: { auth: 'required' }, handler: () => ({}) })
  app.register(
    async (scope) => {
      scope.get('/', { config: { auth: 'required' } }, () => ({}))
    },
    { prefix: '/nested' }
  )
  const headers = signIn('ana', 's1')

  for (const [method, url] of [
    ['PUT', '/many'],
    ['DELETE', '/many'],
    ['GET', '/nested'],
    ['GET', '/nested/']
  ] as const) {
    t.equal((await app.inject({ method, url })).statusCode, 401, `${method} ${url}`)
    t.equal((await app.inject({ method, url, headers })).statusCode, 200, `${method} ${url}`)
  }
})

t.test('a scope may make foreign routes public in its own onRoute hook, but not guard them too late', async (t) => {
  for (const auth of ['public', 'required'] as const) {
    const { app } = await startHost(t)
    app.register(async (scope) => {
      scope.addHook('onRoute', (route) => {
        route.config = { ...route.config, auth }
      })
      scope.get('/foreign', () => ({ page: 1 }))
    })
    if (auth === 'required') {
      await t.rejects(async () => app.ready(), /GET \/foreign, HEAD \/foreign declares no config.auth/)
    } else {
      t.equal((await app.inject('/foreign')).statusCode, 200)
    }
  }
})

t.test('the answer to a CORS preflight opens nothing but itself', async (t) => {
  const { app } = await startHost(t)
  app.options('*', { config: { auth: 'public' } }, (_request, reply) => reply.code(204).send())
  t.equal((await app.inject({ method: 'OPTIONS', url: '/required' })).statusCode, 204)
  t.equal((await app.inject('/required')).statusCode, 401)
})

t.test('a public route gets no hook; a guarded one is checked before its own hooks run', async (t) => {
  const { app } = await startHost(t)
  const routes = new Map<string, RouteOptions>()
  app.addHook('onRoute', (route) => {
    if (route.method !== 'HEAD') routes.set(route.url, route)
  })
  const order: string[] = []
  app.get('/open', { config: { auth: 'public' } }, () => ({}))
  app.get('/closed', {
    config: { auth: 'required' },
    onRequest: async () => {
      order.push('own')
    },
    handler: () => ({})
  })

  t.equal(routes.get('/open')?.onRequest, undefined)
  t.equal((await app.inject('/closed')).statusCode, 401)
  t.same(order, [])
})

t.test('the OpenAPI document learns of the access and of the 401', async (t) => {
  const { app } = await startHost(t)
  app.addSchema({ $id: 'Error', type: 'object', additionalProperties: true })
  app.addSchema({ $id: 'Problem', type: 'object', additionalProperties: true })
  const documented = new Map<string, Record<string, unknown>>()
  app.addHook('onRoute', (route) => {
    if (route.method !== 'HEAD') documented.set(route.url, { ...route.schema })
  })
  const summary = 'Something'
  const response = { 200: { type: 'object', additionalProperties: true } }
  for (const auth of ['public', 'optional', 'required'] as const) {
    app.get(`/${auth}-one`, { config: { auth }, schema: { summary, response } as never }, () => ({ a: 1 }))
  }
  app.get('/own-401', { config: { auth: 'required' }, schema: { response: { 401: { type: 'null' } } } }, () => ({}))

  t.same(documented.get('/public-one'), { summary, response })
  t.same(documented.get('/optional-one'), { summary, response, security: [{}, { bearerAuth: [] }] })
  t.match(documented.get('/required-one'), {
    summary,
    security: [{ bearerAuth: [] }],
    response: {
      200: response[200],
      401: { content: { 'application/json': { schema: { $ref: 'Error#' } } } }
    }
  })
  t.match(documented.get('/own-401'), { response: { 401: { type: 'null' } } })
  t.same((await app.inject('/public-one')).json(), { a: 1 })
  t.equal((await app.inject('/required-one')).statusCode, 401, 'and it compiles')
})

t.test('a route that declares no answers gets its access documented, and no lone 401', async (t) => {
  const { app } = await startHost(t)
  app.addSchema({ $id: 'Error', type: 'object' })
  app.addSchema({ $id: 'Problem', type: 'object' })
  let schema: unknown
  app.addHook('onRoute', (route) => {
    schema = route.schema
  })
  app.post('/closed', { config: { auth: 'required' } }, () => ({}))
  t.same(schema, { security: [{ bearerAuth: [] }] })
})

t.test('without shared error schemas no 401 is documented', async (t) => {
  const { app } = await startHost(t)
  let schema: unknown
  app.addHook('onRoute', (route) => {
    schema = route.schema
  })
  const response = { 204: { type: 'null' } }
  app.post('/closed', { config: { auth: 'required' }, schema: { response } }, () => null)
  t.same(schema, { response, security: [{ bearerAuth: [] }] })
})
