import { once } from 'node:events'
import { type AddressInfo, connect, type Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import { createLogger } from '../../../plugins/logging/index.ts'
import { startHost } from './host.ts'

t.test(
  'a request leaves one line with method, path, status, duration, address, user agent and request id',
  async (t) => {
    const { app, lines } = await startHost(t, { name: 'shop', module: 'server' })
    app.get('/items/:id', async () => ({}))

    const answer = await app.inject({ url: '/items/7', headers: { 'user-agent': 'curl/8.0' } })

    t.equal(lines().length, 1)
    const [line] = lines()
    t.match(line, {
      level: 'info',
      pid: process.pid,
      name: 'shop',
      module: 'server',
      request_id: answer.headers['x-request-id'],
      method: 'GET',
      path: '/items/7',
      status: 200,
      ip: '127.0.0.1',
      user_agent: 'curl/8.0',
      msg: /^GET \/items\/7 completed in \d+(\.\d)? ms$/
    })
    t.match(line?.time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/, 'ISO 8601 with zone')
    t.type(line?.duration_ms, 'number')
  }
)

t.test('the query string is never logged, not on an unknown route and not by a failure either (O06)', async (t) => {
  const { app, raw } = await startHost(t, { level: 'trace' })
  app.get('/ok', async () => ({}))
  app.get('/fails', async () => {
    throw new Error('boom')
  })
  app.get('/logs', async (request) => request.log.warn({ req: request }, 'odd request'))

  for (const path of ['/ok', '/fails', '/unknown', '/logs']) await app.inject(`${path}?reset=hunter2`)

  t.equal(raw.length, 6)
  t.notMatch(raw.join(''), /hunter2/)
  t.match(raw.join(''), /"req":\{"method":"GET","path":"\/logs"\}/)
})

t.test('a long path and a long user agent are cut', async (t) => {
  const { app, lines } = await startHost(t)

  await app.inject({ url: `/${'p'.repeat(5000)}`, headers: { 'user-agent': 'u'.repeat(5000) } })

  t.equal(String(lines()[0]?.path).length, 1024)
  t.equal(String(lines()[0]?.user_agent).length, 200)
})

t.test('a failed request is a warning and its cause an error line with the same request id', async (t) => {
  const { app, lines } = await startHost(t)
  app.get('/', async () => {
    throw new Error('no such table')
  })

  const answer = await app.inject('/')

  const [cause, line] = lines()
  t.equal(answer.statusCode, 500)
  t.match(cause, { level: 'error', err: { type: 'Error', message: 'no such table', stack: /request-line/ } })
  t.match(line, { level: 'warn', status: 500 })
  t.equal(cause?.request_id, line?.request_id)
  t.equal(lines().length, 2)
})

t.test('refused requests and unknown routes are one info line', async (t) => {
  const { app, lines } = await startHost(t)
  app.post('/', async () => ({}))

  await app.inject('/nowhere')
  await app.inject({ method: 'POST', url: '/', headers: { 'content-type': 'application/json' }, payload: '{' })

  t.match(lines(), [
    { level: 'info', path: '/nowhere', status: 404 },
    { level: 'info', path: '/', status: 400 }
  ])
  t.equal(lines().length, 2)
})

t.test('a route with log: false leaves no line, and still has its headers', async (t) => {
  const { app, raw } = await startHost(t)
  app.get('/health', { config: { log: false } }, async () => ({}))

  const answer = await app.inject('/health')

  t.equal(raw.length, 0)
  t.ok(answer.headers['x-request-id'])
  t.ok(answer.headers['server-timing'])
})

for (const method of ['GET', 'POST']) {
  t.test(`a ${method} whose client goes away before the answer is logged as such, with its address`, async (t) => {
    const { app, next, raw } = await startHost(t)
    const reached = Promise.withResolvers<void>()
    app.route({
      method,
      url: '/slow',
      handler: () => {
        reached.resolve()
        return new Promise(() => {})
      }
    })
    await app.listen({ host: '127.0.0.1', port: 0 })
    const body = method === 'POST' ? 'Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}' : '\r\n'
    const client = connectTo(app)
    client.write(`${method} /slow HTTP/1.1\r\nHost: x\r\n${body}`)
    await reached.promise
    const line = next()

    client.destroy()

    t.match(await line, {
      level: 'info',
      method,
      path: '/slow',
      aborted: true,
      status: undefined,
      ip: '127.0.0.1',
      msg: new RegExp(`^${method} /slow aborted by the client after \\d+(\\.\\d)? ms$`)
    })
    t.equal(raw.length, 2, 'beside the line of listen')
  })
}

t.test('a client that goes away while it reads the answer is logged as such', async (t) => {
  const { app, next } = await startHost(t)
  app.get('/large', async () => Buffer.alloc(64 * 1024 * 1024))
  await app.listen({ host: '127.0.0.1', port: 0 })
  const client = connectTo(app)
  client.write('GET /large HTTP/1.1\r\nHost: x\r\n\r\n')
  await once(client, 'data')
  const line = next()

  client.destroy()

  t.match(await line, { path: '/large', aborted: true })
})

t.test('an answer on a connection that then closes is logged as completed', async (t) => {
  const { app, next } = await startHost(t)
  app.get('/', async () => ({}))
  await app.listen({ host: '127.0.0.1', port: 0 })
  const line = next()
  const client = connectTo(app)
  client.end('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n').resume()

  t.match(await line, { path: '/', status: 200, aborted: undefined })
})

t.test('no header, path or message can forge a line or carry a control character (V14)', async (t) => {
  const { app, raw } = await startHost(t)
  app.get('/*', async (request) => request.log.info({ name: 'a\nb\u001b[2J\u009b' }, 'hello\r\n{"level":"fatal"}'))

  await app.inject({ url: '/%0a%1b', headers: { 'user-agent': 'x\t\u009b31m\u0085' } })

  t.equal(raw.length, 2)
  for (const line of raw) {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: what must not be there
    t.match(line, /^[^\u0000-\u001f\u007f-\u009f]+\n$/)
    t.notMatch(line, /"level":"fatal"/)
  }
  t.match(JSON.parse(raw[1] ?? ''), { user_agent: 'x\t\u009b31m\u0085' }, 'and nothing is lost')
})

t.test('an address that a trusted proxy hands on forges no line either (V14)', async (t) => {
  const { raw, writeRequest } = lineWriter()
  const ip = '9.9.9.9","level":"fatal","x":"\u001b[2J'
  writeRequest('info', { request_id: 'a', method: 'GET', path: '/', status: 200, duration_ms: 1, ip })
  t.match(JSON.parse(raw[0] ?? ''), { level: 'info', ip })
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what must not be there
  t.notMatch(raw[0], /\u001b/)
})

function lineWriter() {
  const raw: string[] = []
  const destination = { write: (line: string) => raw.push(line) }
  return { raw, ...createLogger({ name: 'shop', module: 'server', destination }) }
}

function connectTo(app: FastifyInstance): Socket {
  // Listening on TCP, so the address is not a pipe's.
  const { port } = app.server.address() as AddressInfo
  return connect(port, '127.0.0.1')
}

t.test('a route that silences its logger silences its line', async (t) => {
  const { app, lines } = await startHost(t)
  app.get('/quiet', { logLevel: 'silent' }, async () => ({}))

  await app.inject('/quiet')

  t.same(lines(), [])
})

t.test('the line of a request is what pino would write', async (t) => {
  const lines: string[] = []
  const { logger, writeRequest } = createLogger({
    name: 'shöp',
    module: 'server',
    destination: { write: (line) => lines.push(line) }
  })
  const path = '/a"b\\c\u0007d\u009be\u2028f\ud800'
  const line = {
    request_id: 'abc-1',
    method: 'GET',
    path,
    status: 200,
    duration_ms: 0.3,
    ip: '::1',
    user_agent: '"\u001b[31m'
  }

  writeRequest('info', line)
  logger.info(line, `GET ${path} completed in 0.3 ms`)

  const [own = '', pinos = ''] = lines.map((text) => text.replace(/"time":"[^"]+"/, ''))
  t.equal(own, pinos)
})
