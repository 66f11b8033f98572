import Fastify, { type FastifyInstance, type HTTPMethods } from 'fastify'
import t, { type Test } from 'tap'
import envelope, { refuseEmptyParams, serverOptions } from '../../../plugins/envelope/index.ts'
import { exchange, listen } from './server.ts'

async function startApp(t: Test): Promise<FastifyInstance> {
  const app = Fastify(serverOptions({ maxParamLength: 20, bodyLimitBytes: 100 }))
  t.teardown(() => app.close())
  await app.register(envelope)
  const answer = async () => ({ ok: true })
  await app.register(
    async (api) => {
      api.get('/todos', answer)
      api.post('/todos', answer)
      api.get('/todos/:id', answer)
      api.delete('/todos/:id', answer)
      api.get('/todos/mine', { exposeHeadRoute: false }, answer)
      api.options('/todos/mine', answer)
      api.post('/caf\u00e9', answer)
    },
    { prefix: '/api/v1' }
  )
  app.get('/files/*', (_request, reply) => reply.callNotFound())
  return app
}

t.test('V17: an unknown route is answered with 404', async (t) => {
  const app = await startApp(t)
  const paths = ['/', '/nowhere', '/api/v1', '/api/v1/todos/1/', '/api/v1/todos/1/2', '/API/v1/todos', '//api/v1/todos']
  for (const path of paths) {
    for (const method of ['GET', 'HEAD', 'POST', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND'] as HTTPMethods[]) {
      const answer = await app.inject({ method, url: path })
      t.equal(answer.statusCode, 404, `${method} ${path}`)
      t.notOk(answer.headers.allow)
      const body = { status: 'error', code: 404, error_code: 'NOT_FOUND', message: 'Route not found' }
      if (method !== 'HEAD') t.match(answer.json(), body)
    }
  }
})

t.test('V17: a known path with another method is answered with 405 and the methods it has', async (t) => {
  const app = await startApp(t)
  const cases: [method: string, url: string, allow: string][] = [
    ['PUT', '/api/v1/todos', 'GET, HEAD, POST'],
    ['PATCH', '/api/v1/todos?page=1', 'GET, HEAD, POST'],
    ['TRACE', '/api/v1/todos', 'GET, HEAD, POST'],
    ['PROPFIND', '/api/v1/todos', 'GET, HEAD, POST'],
    ['OPTIONS', '/api/v1/todos', 'GET, HEAD, POST'],
    ['POST', '/api/v1/todos/1', 'DELETE, GET, HEAD'],
    ['POST', '/api/v1/%74odos/1', 'DELETE, GET, HEAD'],
    ['PUT', '/api/v1/todos/mine', 'DELETE, GET, HEAD, OPTIONS'],
    ['GET', '/api/v1/caf%C3%A9', 'POST']
  ]
  for (const [method, url, allow] of cases) {
    const answer = await app.inject({ method: method as HTTPMethods, url })
    t.equal(answer.statusCode, 405, `${method} ${url}`)
    t.equal(answer.headers.allow, allow)
    t.match(answer.json(), { code: 405, error_code: 'METHOD_NOT_ALLOWED', message: 'This method is not allowed here' })
  }
})

t.test(
  'V17 an empty path parameter is an unknown route, whichever the method; what a wildcard stands for may be empty',
  async (t) => {
    const app = await startApp(t)
    app.addHook('onRequest', refuseEmptyParams)
    app.get('/people/:name/posts', async () => ({ ok: true }))
    app.get('/all/*', async () => ({ ok: true }))
    const urls = ['/api/v1/todos/', '/api/v1/todos/?page=1', '/api/v1/todos//', '/people//posts', '/people/posts']
    const answers = urls.flatMap((url) =>
      (['GET', 'HEAD', 'DELETE', 'PUT'] as const).map((method) => app.inject({ method, url }))
    )
    const seen = (await Promise.all(answers)).map(({ statusCode, headers }) => [statusCode, headers.allow])
    t.same(seen, Array(seen.length).fill([404, undefined]))
    t.match((await app.inject('/api/v1/todos/')).json(), { error_code: 'NOT_FOUND', message: 'Route not found' })
    t.equal((await app.inject('/all/')).statusCode, 200)
    t.equal((await app.inject('/api/v1/todos/%20')).statusCode, 200, 'a space is something')
  }
)

t.test('every method that Allow names is answered, HEAD without a body', async (t) => {
  const app = await startApp(t)
  t.equal((await app.inject({ method: 'HEAD', url: '/api/v1/todos' })).statusCode, 200)
  const refused = await app.inject({ method: 'HEAD', url: '/api/v1/caf%C3%A9' })
  t.equal(refused.statusCode, 405)
  t.equal(refused.body, '')
})

t.test('an answer to OPTIONS on every path, as for CORS, makes no unknown path a known one', async (t) => {
  const app = Fastify(serverOptions())
  t.teardown(() => app.close())
  await app.register(envelope)
  app.options('*', async () => ({}))
  app.get('/known', async () => ({}))

  t.equal((await app.inject({ method: 'GET', url: '/nowhere' })).statusCode, 404)
  t.equal((await app.inject({ method: 'PUT', url: '/known' })).headers.allow, 'GET, HEAD, OPTIONS')
})

t.test('a route that finds nothing itself answers 404, not 405', async (t) => {
  const app = await startApp(t)
  t.equal((await app.inject('/files/absent')).statusCode, 404)
  t.equal((await app.inject({ method: 'POST', url: '/files/absent' })).statusCode, 405)
})

t.test('an unknown route is answered after the hooks of all plugins, without reading its body', async (t) => {
  const app = await startApp(t)
  let isParsed = false
  app.addHook('onRequest', async (_request, reply) => void reply.header('x-hook', 'ran'))
  app.addHook('preParsing', async () => {
    isParsed = true
  })
  const requests = [
    { headers: { 'content-type': 'application/json' }, payload: '{malformed' },
    { headers: { 'content-type': 'application/json' }, payload: 'x'.repeat(1_000) },
    { headers: { 'content-type': 'no such thing' }, payload: 'x' }
  ]
  for (const request of requests) {
    const answer = await app.inject({ method: 'POST', url: '/nowhere', ...request })
    t.equal(answer.statusCode, 404)
    t.equal(answer.headers['x-hook'], 'ran')
  }
  t.equal(isParsed, false)
})

t.test('V10: a bad URL, a long URL and a long parameter are answered in the envelope, and not repeated', async (t) => {
  const app = await startApp(t)
  const long = 'x'.repeat(8_000)
  const cases: [url: string, status: number, error_code: string][] = [
    ['/api/v1/todos/%zz', 400, 'MALFORMED_URL'],
    ['/api/v1/todos/%', 400, 'MALFORMED_URL'],
    ['/%c0%af', 400, 'MALFORMED_URL'],
    [`/api/v1/todos/${'x'.repeat(21)}`, 414, 'URI_TOO_LONG'],
    [`/api/v1/todos?${long}`, 414, 'URI_TOO_LONG'],
    [`/${long}`, 414, 'URI_TOO_LONG']
  ]
  for (const [url, status, error_code] of cases) {
    const answer = await app.inject({ url, headers: { accept: '*/*' } })
    t.equal(answer.statusCode, status, url.slice(0, 40))
    t.equal(answer.headers['content-type'], 'application/json; charset=utf-8')
    t.match(answer.json(), { code: status, error_code, request_id: String })
    t.notMatch(answer.body, /zz|xxx|%/)
    const problem = await app.inject({ url, headers: { accept: 'application/problem+json' } })
    t.match(problem.json(), { type: 'about:blank', status, error_code })
  }
})

t.test('a missing, repeated or impossible Host is answered with 400, a good one is not', async (t) => {
  const app = await startApp(t)
  app.get('/', async () => ({}))
  const port = await listen(t, app)
  const status = async (headers: string, version = '1.1') => {
    const [answer] = await exchange(port, `GET / HTTP/${version}\r\n${headers}Connection: close\r\n\r\n`)
    if (answer?.status === 400) t.match(JSON.parse(answer.body), { code: 400, error_code: 'BAD_HOST' })
    return answer?.status
  }
  const bad = ['', 'Host:\r\n', 'Host: a\r\nHost: a\r\n', 'Host: a\r\nHost: b\r\n', 'Host: a b\r\n', 'Host: a/b\r\n']
  const good = ['Host: a\r\n', 'Host: a.b:8080\r\n', 'Host: [::1]:80\r\n', 'Host: 127.0.0.1\r\n', 'Host: my_app-1\r\n']
  for (const headers of [...good, ...bad, 'Host: x@a\r\n', 'Host: a:b\r\n', 'Host: a:999999\r\n']) {
    t.equal(await status(headers), good.includes(headers) ? 200 : 400, headers)
  }
  t.equal(await status('', '1.0'), 200)
})

t.test('two Authorization or Content-Type headers never count as one of them', async (t) => {
  const app = await startApp(t)
  app.post('/echo', async ({ headers }) => headers.authorization ?? 'none')
  const port = await listen(t, app)
  const post = 'POST /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n'

  const [first] = await exchange(port, `${post}Authorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n`)
  const types = 'Content-Type: application/json\r\nContent-Type: text/plain\r\n'
  const [second] = await exchange(port, `${post}${types}Content-Length: 2\r\n\r\n{}`)

  t.equal(first?.body, 'Bearer a, Bearer b')
  t.equal(second?.status, 415)
})
