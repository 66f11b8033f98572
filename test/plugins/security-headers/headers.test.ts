import { Readable } from 'node:stream'
import Fastify, {
  type FastifyInstance,
  type FastifyReply,
  type FastifyServerOptions,
  type InjectOptions
} from 'fastify'
import t, { type Test } from 'tap'
import securityHeaders, {
  constantHeaders,
  type SecurityHeadersOptions
} from '../../../plugins/security-headers/index.ts'

const expected = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'private, no-store'
}

async function start(
  t: Test,
  options: SecurityHeadersOptions = {},
  server: FastifyServerOptions = {}
): Promise<FastifyInstance> {
  const app = Fastify(server)
  t.teardown(() => app.close())
  await app.register(securityHeaders, options)
  app.get('/', async () => ({}))
  return app
}

t.test('every kind of answer carries the headers (O03)', async (t) => {
  const app = await start(t)
  app.get('/broken', async () => {
    throw new Error('broken')
  })
  app.get('/stream', async () => Readable.from(['text']))
  app.get('/moved', (_request, reply) => {
    reply.redirect('/')
  })
  app.post('/', { bodyLimit: 10 }, (_request, reply) => {
    reply.code(204).send()
  })
  const json = { 'content-type': 'application/json' }
  const answers: Array<[status: number, request: InjectOptions]> = [
    [200, { url: '/' }],
    [200, { url: '/', method: 'HEAD' }],
    [200, { url: '/stream' }],
    [204, { url: '/', method: 'POST', headers: json, payload: '{}' }],
    [302, { url: '/moved' }],
    [400, { url: '/', method: 'POST', headers: json, payload: '{' }],
    [404, { url: '/unknown' }],
    [404, { url: '/', method: 'DELETE' }],
    [413, { url: '/', method: 'POST', headers: json, payload: '{"a":"0123456789"}' }],
    [500, { url: '/broken' }]
  ]

  for (const [status, request] of answers) {
    const { statusCode, headers } = await app.inject(request)
    t.equal(statusCode, status)
    t.match(headers, expected, `${status}`)
    for (const name of ['server', 'x-powered-by', 'strict-transport-security', 'access-control-allow-origin', 'vary']) {
      t.notOk(name in headers, `${status} has no ${name}`)
    }
  }
})

t.test('a handler, or a hook of a scope, sets or drops a header and wins', async (t) => {
  const app = await start(t)
  await app.register(async (scope) => {
    scope.addHook('onRequest', async (_request, reply) => {
      reply.header('content-security-policy', "default-src 'self'").removeHeader('x-frame-options')
    })
    scope.get('/pages', async () => 'page')
  })
  app.get('/cached', async (_request, reply) => {
    reply.header('cache-control', 'public, max-age=60')
    return {}
  })

  const page = (await app.inject('/pages')).headers
  const cached = (await app.inject('/cached')).headers
  const other = (await app.inject('/')).headers

  t.equal(page['content-security-policy'], "default-src 'self'")
  t.notOk('x-frame-options' in page)
  t.equal(page['cache-control'], 'private, no-store')
  t.equal(cached['cache-control'], 'public, max-age=60')
  t.match(other, expected)
})

t.test('options replace and drop single headers', async (t) => {
  const app = await start(t, {
    headers: { 'Referrer-Policy': 'same-origin', 'Cross-Origin-Resource-Policy': false, 'X-Own': '1' }
  })

  const { headers } = await app.inject('/')

  t.match(headers, { 'referrer-policy': 'same-origin', 'x-own': '1', 'x-frame-options': 'DENY' })
  t.notOk('cross-origin-resource-policy' in headers)
})

t.test('HSTS is sent over TLS only, told by a trusted proxy and by nobody else (O03)', async (t) => {
  const headers = { 'x-forwarded-proto': 'https' }
  const trusting = await start(t, {}, { trustProxy: '10.0.0.0/8' })

  const trusted = await trusting.inject({ url: '/', headers, remoteAddress: '10.0.0.7' })
  const plain = await trusting.inject({ url: '/', remoteAddress: '10.0.0.7' })
  const forged = await trusting.inject({ url: '/', headers, remoteAddress: '203.0.113.9' })
  const untrusting = await (await start(t)).inject({ url: '/', headers })

  t.match(trusted.headers, {
    'strict-transport-security': 'max-age=63072000; includeSubDomains',
    'cross-origin-opener-policy': 'same-origin'
  })
  for (const response of [plain, forged, untrusting]) {
    t.notOk('strict-transport-security' in response.headers)
    t.notOk('cross-origin-opener-policy' in response.headers)
  }
})

t.test('HSTS can be forced, switched off, and set to a longer time, never below a year', async (t) => {
  const trustProxy = true
  const overTls = { url: '/', headers: { 'x-forwarded-proto': 'https' } }
  const hsts = 'strict-transport-security'

  const forced = await start(t, { hsts: true, hstsMaxAgeSeconds: 31_536_000 }, { trustProxy })
  t.equal((await forced.inject('/')).headers[hsts], 'max-age=31536000; includeSubDomains')
  t.equal((await forced.inject(overTls)).headers[hsts], 'max-age=31536000; includeSubDomains')
  const off = await start(t, { hsts: false }, { trustProxy })
  t.notOk(hsts in (await off.inject(overTls)).headers)
  for (const hstsMaxAgeSeconds of [0, 31_535_999, Number.NaN]) {
    await t.rejects(async () => Fastify().register(securityHeaders, { hstsMaxAgeSeconds }), /at least 31536000/)
  }
})

t.test('constantHeaders gives writers of raw answers the same headers', async (t) => {
  t.same(constantHeaders(), expected)
  t.ok(Object.isFrozen(constantHeaders()))
  t.match(constantHeaders({ hsts: true }), { ...expected, 'strict-transport-security': /^max-age=63072000;/ })
  t.notOk('cross-origin-resource-policy' in constantHeaders({ headers: { 'Cross-Origin-Resource-Policy': false } }))

  const app = await start(
    t,
    {},
    {
      frameworkErrors: (error, _request, reply: FastifyReply) => {
        reply.headers(constantHeaders()).code(400).send(error)
      }
    }
  )
  const malformed = await app.inject('/%E0%A4%A')
  t.equal(malformed.statusCode, 400)
  t.match(malformed.headers, expected)
})
