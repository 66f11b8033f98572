import { once } from 'node:events'
import { connect } from 'node:net'
import Fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import metrics, { type MetricsOptions } from '../../../plugins/metrics/index.ts'
import { parseExposition, seriesValue } from './exposition.ts'

const duration = 'http_request_duration_seconds'

async function start(t: Test, options: MetricsOptions = {}): Promise<FastifyInstance> {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(metrics, options)
  return app
}

const scrape = async (app: FastifyInstance) => (await app.inject('/metrics')).body

/** How often each (method, route, status) was counted, scrapes left out. */
function counted(text: string): Record<string, number> {
  const samples = parseExposition(text).get(duration)?.samples ?? []
  const counts = samples.filter(({ name, labels }) => name.endsWith('_count') && labels.route !== '/metrics')
  return Object.fromEntries(
    counts.map(({ labels: { method, route, status }, value }) => [`${method} ${route} ${status}`, value])
  )
}

t.test('requests are counted by route template, method and status, never by path', async (t) => {
  const app = await start(t)
  app.get('/things/:id', async () => ({}))
  app.delete('/things/:id', (_request, reply) => {
    reply.code(204).send()
  })
  app.post('/things', async () => {
    throw new Error('broken')
  })

  for (const id of ['1', '2', 'secret-path']) await app.inject(`/things/${id}`)
  await app.inject({ method: 'DELETE', url: '/things/1' })
  await app.inject({ method: 'HEAD', url: '/things/1' })
  await app.inject({ method: 'POST', url: '/things' })
  const text = await scrape(app)

  t.same(counted(text), {
    'GET /things/:id 200': 3,
    'DELETE /things/:id 204': 1,
    'HEAD /things/:id 200': 1,
    'POST /things 500': 1
  })
  t.notMatch(text, 'secret-path')
})

t.test('unknown paths and methods cannot add series (O09)', async (t) => {
  const app = await start(t)
  app.get('/things', async () => ({}))

  for (let i = 0; i < 50; i++) await app.inject(`/unknown/${i}?page=${i}`)
  for (const method of ['PURGE', 'PROPFIND', 'TRACE'] as const) {
    await app.inject({ method: method as 'GET', url: '/things' }) // the type lists fewer methods than the parser takes
  }
  await app.inject({ method: 'OPTIONS', url: '/things' })

  t.same(counted(await scrape(app)), {
    'GET (unmatched) 404': 50,
    '(other) (unmatched) 404': 3,
    'OPTIONS (unmatched) 404': 1
  })
})

t.test('a handler that finds nothing is counted once, as unmatched', async (t) => {
  const app = await start(t)
  app.get('/things', (_request, reply) => {
    reply.callNotFound()
  })

  await app.inject('/things')

  t.same(counted(await scrape(app)), { 'GET (unmatched) 404': 1 })
})

t.test('routes for several methods and routes of nested scopes have series of their own', async (t) => {
  const app = await start(t)
  await app.register(
    async (scope) => {
      scope.get('/', async () => ({}))
      scope.route({ method: ['PUT', 'PATCH'], url: '/:id', handler: async () => ({}) })
    },
    { prefix: '/api' }
  )

  await app.inject('/api')
  await app.inject({ method: 'PUT', url: '/api/1' })
  await app.inject({ method: 'PATCH', url: '/api/1' })

  t.same(counted(await scrape(app)), { 'GET /api 200': 1, 'PUT /api/:id 200': 1, 'PATCH /api/:id 200': 1 })
})

t.test('hooks that a route brings along still run', async (t) => {
  const app = await start(t)
  const calls: string[] = []
  app.get('/one', { onResponse: async () => void calls.push('one') }, async () => ({}))
  app.get('/two', { onResponse: [async () => void calls.push('two')] }, async () => ({}))

  await app.inject('/one')
  await app.inject('/two')

  t.same(calls, ['one', 'two'])
  t.same(counted(await scrape(app)), { 'GET /one 200': 1, 'GET /two 200': 1 })
})

t.test('durations fall into the configured buckets', async (t) => {
  const app = await start(t, { buckets: [0.000_001, 60] })
  app.get('/things', async () => ({}))

  await app.inject('/things')
  const text = await scrape(app)

  const labels = { method: 'GET', route: '/things', status: '200' }
  t.equal(seriesValue(text, `${duration}_bucket`, { ...labels, le: '0.000001' }), 0)
  t.equal(seriesValue(text, `${duration}_bucket`, { ...labels, le: '60' }), 1)
  t.equal(seriesValue(text, `${duration}_bucket`, { ...labels, le: '+Inf' }), 1)
  const sum = seriesValue(text, `${duration}_sum`, labels) ?? 0
  t.ok(sum > 0.000_001 && sum < 60)
})

t.test('requests in flight are shown, and those whose client left are counted', async (t) => {
  const app = await start(t)
  const entered = Promise.withResolvers<void>()
  const gate = Promise.withResolvers<object>()
  app.get('/slow', () => {
    entered.resolve()
    return gate.promise
  })
  const address = await app.listen({ port: 0, host: '127.0.0.1' })
  const read = async () => (await fetch(`${address}/metrics`)).text()

  const closed = once(app.server, 'request').then(([, response]) => once(response, 'close'))
  const client = connect(Number(new URL(address).port), '127.0.0.1')
  client.write('GET /slow HTTP/1.1\r\nHost: test\r\n\r\n')
  await entered.promise
  const during = await read()
  client.destroy()
  await closed
  const after = await read()
  gate.resolve({})

  t.equal(seriesValue(during, 'http_requests_in_flight'), 2, 'the slow one and the scrape')
  t.equal(seriesValue(during, 'http_requests_aborted_total'), 0)
  t.equal(seriesValue(after, 'http_requests_in_flight'), 1)
  t.equal(seriesValue(after, 'http_requests_aborted_total'), 1)
})
