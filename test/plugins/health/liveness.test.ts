import Fastify, { type RouteOptions } from 'fastify'
import t from 'tap'
import health from '../../../plugins/health/index.ts'

for (const url of ['/health', '/health/live']) {
  t.test(`${url} answers 200 in bare JSON and runs no check (O01)`, async (t) => {
    const app = Fastify()
    t.teardown(() => app.close())
    let runs = 0
    await app.register(health, { version: '1.2.3' })
    app.health.register('database', { critical: true, check: async () => void runs++ })

    const response = await app.inject(url)

    t.equal(response.statusCode, 200)
    t.equal(response.headers['content-type'], 'application/json; charset=utf-8')
    t.same(response.json(), { status: 'ok', version: '1.2.3' })
    t.equal(runs, 0)
  })

  t.test(`${url} stays 200 while a critical dependency is out and while draining`, async (t) => {
    const app = Fastify()
    t.teardown(() => app.close())
    await app.register(health)
    app.health.register('database', { critical: true, check: () => Promise.reject(new Error('down')) })
    app.health.drain()
    await app.inject('/health/ready')

    const response = await app.inject(url)

    t.equal(response.statusCode, 200)
    t.same(response.json(), { status: 'ok' })
  })

  t.test(`HEAD ${url} answers as GET does, without a body`, async (t) => {
    const app = Fastify({ exposeHeadRoutes: false })
    t.teardown(() => app.close())
    await app.register(health)

    const response = await app.inject({ method: 'HEAD', url })

    t.equal(response.statusCode, 200)
    t.equal(response.body, '')
    t.equal(response.headers['content-length'], String('{"status":"ok"}'.length))
  })
}

t.test('the prefix is put before every path', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(health, { prefix: '/internal' })

  const urls = ['/internal/health', '/internal/health/live', '/internal/health/ready']
  const answers = await Promise.all(urls.map((url) => app.inject(url)))

  t.same(
    answers.map(({ statusCode }) => statusCode),
    [200, 200, 200]
  )
  t.equal((await app.inject('/health')).statusCode, 404)
})

t.test('every route is public, answers under any host and describes itself', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  const routes: RouteOptions[] = []
  app.addHook('onRoute', (route) => void routes.push(route))

  await app.register(health)

  t.equal(routes.length, 6, 'three GET, three HEAD')
  for (const route of routes) t.match(route.config, { auth: 'public', anyHost: true, log: false })
  const operations = routes.filter(({ method }) => method === 'GET').map(({ schema }) => schema)
  t.match(operations, [
    { operationId: 'getHealth', tags: ['health'], summary: String, description: String, response: { 200: {} } },
    { operationId: 'getLiveness', tags: ['health'], summary: String, description: String, response: { 200: {} } },
    { operationId: 'getReadiness', tags: ['health'], response: { 200: {}, 503: {} } }
  ])
})

t.test('probes leave no line in the log', async (t) => {
  const lines: string[] = []
  const app = Fastify({ logger: { level: 'debug', stream: { write: (line: string) => void lines.push(line) } } })
  t.teardown(() => app.close())
  await app.register(health)
  app.get('/other', async () => ({}))

  for (const url of ['/health', '/health/live', '/health/ready']) await app.inject(url)

  t.same(lines, [])
  await app.inject('/other')
  t.ok(lines.length > 0, 'other requests are logged')
})
