import Fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import securityHeaders, { type SecurityHeadersOptions } from '../../../plugins/security-headers/index.ts'

const listed = 'https://app.example.com'

async function start(t: Test, options: SecurityHeadersOptions): Promise<FastifyInstance> {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(securityHeaders, options)
  app.get('/', async () => ({}))
  return app
}

const corsHeaders = (headers: object) => Object.keys(headers).filter((name) => name.startsWith('access-control-'))

const preflight = (origin: string, url = '/') => ({
  method: 'OPTIONS' as const,
  url,
  headers: { origin, 'access-control-request-method': 'PATCH', 'access-control-request-headers': 'x-anything' }
})

t.test('a listed origin may read the answer and the headers of this API', async (t) => {
  const app = await start(t, { origins: ['https://other.example.com', listed] })

  const { statusCode, headers } = await app.inject({ url: '/', headers: { origin: listed } })

  t.equal(statusCode, 200)
  t.equal(headers['access-control-allow-origin'], listed)
  t.equal(
    headers['access-control-expose-headers'],
    'ETag, Idempotency-Replayed, Location, RateLimit, RateLimit-Policy, Retry-After, Server-Timing, X-Cache, X-Request-ID'
  )
  t.equal(headers.vary, 'Origin')
  t.notOk('access-control-allow-credentials' in headers)
})

t.test('errors are readable too', async (t) => {
  const app = await start(t, { origins: [listed] })

  const { statusCode, headers } = await app.inject({ url: '/unknown', headers: { origin: listed } })

  t.equal(statusCode, 404)
  t.match(headers, { 'access-control-allow-origin': listed, vary: 'Origin' })
})

t.test('every other origin is left without a word, look-alikes and null included (O04)', async (t) => {
  const app = await start(t, { origins: [listed, 'http://localhost:5173'], credentials: true })
  const strangers = [
    'null',
    'https://evil.example',
    'http://app.example.com',
    'https://app.example.com:8443',
    'https://app.example.com.evil.example',
    'https://xapp.example.com',
    'https://evil.app.example.com',
    'https://example.com',
    'https://APP.example.com',
    'https://app.example.com/',
    'https://app.example.com, https://evil.example',
    'https://app.example.com@evil.example',
    'http://localhost',
    'http://localhost:51730',
    '*',
    ''
  ]
  for (const origin of strangers) {
    const plain = await app.inject({ url: '/', headers: { origin } })
    t.equal(plain.statusCode, 200, 'CORS is no access control')
    t.same(corsHeaders(plain.headers), [], origin)
    t.equal(plain.headers.vary, 'Origin', 'a cache must not hand this to a listed origin')
    const asked = await app.inject(preflight(origin))
    t.equal(asked.statusCode, 404, 'the preflight is any OPTIONS request')
    t.same(corsHeaders(asked.headers), [], origin)
  }
})

t.test('credentials are allowed by option only, to the one origin (O04)', async (t) => {
  const app = await start(t, { origins: [listed], credentials: true })

  const { headers } = await app.inject({ url: '/', headers: { origin: listed } })

  t.match(headers, { 'access-control-allow-origin': listed, 'access-control-allow-credentials': 'true' })
})

t.test('a preflight is answered before routing, with a grant that does not echo the request', async (t) => {
  const app = await start(t, { origins: [listed], credentials: true })

  for (const url of ['/', '/unknown']) {
    const response = await app.inject(preflight(listed, url))
    t.equal(response.statusCode, 204)
    t.equal(response.body, '')
    t.match(response.headers, {
      'access-control-allow-origin': listed,
      'access-control-allow-credentials': 'true',
      'access-control-allow-methods': 'GET, HEAD, POST, PUT, PATCH, DELETE',
      'access-control-max-age': '7200',
      'x-content-type-options': 'nosniff',
      vary: 'Origin'
    })
    t.match(response.headers['access-control-allow-headers'], /Authorization.*Content-Type.*Idempotency-Key.*If-Match/)
    t.notMatch(response.headers['access-control-allow-headers'], 'x-anything')
  }
})

t.test('a preflight reaches neither later hooks nor an OPTIONS route', async (t) => {
  const app = await start(t, { origins: [listed] })
  const calls: string[] = []
  app.addHook('onRequest', async () => void calls.push('hook'))
  app.options('/', async () => void calls.push('route'))

  await app.inject(preflight(listed))
  t.same(calls, [])

  const plain = await app.inject({ method: 'OPTIONS', url: '/', headers: { origin: listed } })
  t.equal(plain.statusCode, 200, 'OPTIONS without Access-Control-Request-Method is none')
  t.same(calls, ['hook', 'route'])
})

t.test('no route is mounted for it', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  const routes: string[] = []
  app.addHook('onRoute', ({ method, url }) => void routes.push(`${method} ${url}`))

  await app.register(securityHeaders, { origins: [listed] })

  t.same(routes, [])
})

t.test('grants can be narrowed', async (t) => {
  const app = await start(t, {
    origins: [listed],
    methods: ['GET'],
    allowedHeaders: ['Authorization'],
    exposedHeaders: ['ETag'],
    preflightMaxAgeSeconds: 60
  })

  t.match((await app.inject(preflight(listed))).headers, {
    'access-control-allow-methods': 'GET',
    'access-control-allow-headers': 'Authorization',
    'access-control-max-age': '60'
  })
  const { headers } = await app.inject({ url: '/', headers: { origin: listed } })
  t.equal(headers['access-control-expose-headers'], 'ETag')
})

t.test('Origin joins what others put into Vary', async (t) => {
  const app = await start(t, { origins: [listed] })
  const cases: Array<[set: string | string[], sent: string]> = [
    ['Accept', 'Accept, Origin'],
    ['accept, ORIGIN', 'accept, ORIGIN'],
    ['X-Origin', 'X-Origin, Origin'],
    [['Accept', 'Cookie'], 'Accept,Cookie, Origin'],
    ['*', '*']
  ]
  cases.forEach(([set], i) => {
    app.get(`/vary/${i}`, async (_request, reply) => {
      reply.header('vary', set)
      return {}
    })
  })

  for (const [i, [, sent]] of cases.entries()) t.equal((await app.inject(`/vary/${i}`)).headers.vary, sent)
})

t.test('any origin may read public answers when the list is *', async (t) => {
  const app = await start(t, { origins: ['*'] })

  const { headers } = await app.inject({ url: '/', headers: { origin: 'https://anywhere.example' } })

  t.equal(headers['access-control-allow-origin'], '*')
  t.notOk('access-control-allow-credentials' in headers)
  t.notOk('vary' in headers, 'the answer is the same for all')
})

t.test('an empty list means no CORS at all', async (t) => {
  const app = await start(t, { origins: [] })

  const plain = await app.inject({ url: '/', headers: { origin: listed } })
  const asked = await app.inject(preflight(listed))

  t.same(corsHeaders(plain.headers), [])
  t.notOk('vary' in plain.headers)
  t.equal(asked.statusCode, 404)
})

t.test('origins of apps are taken by their form', async (t) => {
  const app = await start(t, { origins: ['capacitor://localhost'] })

  const { headers } = await app.inject({ url: '/', headers: { origin: 'capacitor://localhost' } })

  t.equal(headers['access-control-allow-origin'], 'capacitor://localhost')
})

t.test('unsafe lists, and origins that no browser sends, are refused at registration', async (t) => {
  const unsafe: SecurityHeadersOptions[] = [
    { origins: ['*'], credentials: true },
    { origins: ['*', listed] },
    ...[
      'null',
      '',
      'app.example.com',
      'https://app.example.com/',
      'https://APP.example.com',
      'https://app.example.com:443',
      'https://*.example.com',
      'https://user@app.example.com',
      'capacitor://localhost/x'
    ].map((origin) => ({ origins: [origin] }))
  ]
  for (const options of unsafe) {
    await t.rejects(async () => Fastify().register(securityHeaders, options), TypeError, JSON.stringify(options))
  }
})
