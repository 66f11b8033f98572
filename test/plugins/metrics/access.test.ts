import Fastify, { type FastifyInstance, type RouteOptions } from 'fastify'
import t, { type Test } from 'tap'
import metrics, { type MetricsOptions } from '../../../plugins/metrics/index.ts'

const token = 'a-token-of-enough-characters'

async function start(t: Test, options: MetricsOptions = {}, trustProxy = false): Promise<FastifyInstance> {
  const app = Fastify({ trustProxy })
  t.teardown(() => app.close())
  await app.register(metrics, options)
  return app
}

t.test('without a token, clients on this machine may read (O09)', async (t) => {
  const app = await start(t)
  for (const remoteAddress of ['127.0.0.1', '127.8.9.10', '::1', '::ffff:127.0.0.1']) {
    const response = await app.inject({ url: '/metrics', remoteAddress })
    t.equal(response.statusCode, 200, remoteAddress)
    t.equal(response.headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8')
  }
})

t.test('without a token, all others get 403 and no figure', async (t) => {
  const app = await start(t)
  for (const remoteAddress of ['10.0.0.1', '192.168.1.1', '203.0.113.9', '2001:db8::1', '::ffff:10.0.0.1']) {
    const response = await app.inject({ url: '/metrics', remoteAddress })
    t.equal(response.statusCode, 403, remoteAddress)
    t.equal(response.json().code, 'METRICS_FORBIDDEN')
    t.notMatch(response.body, /process_|# HELP/)
  }
})

t.test('a loopback address in a header opens nothing, even behind a trusted proxy', async (t) => {
  const app = await start(t, {}, true)
  const headers = { 'x-forwarded-for': '127.0.0.1', forwarded: 'for=127.0.0.1' }

  t.equal((await app.inject({ url: '/metrics', remoteAddress: '203.0.113.9', headers })).statusCode, 403)
})

t.test('without a token, what a proxy on this machine forwards is refused', async (t) => {
  const app = await start(t)
  const names = ['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-real-ip', 'via']
  for (const name of names) {
    const response = await app.inject({ url: '/metrics', remoteAddress: '127.0.0.1', headers: { [name]: 'x' } })
    t.equal(response.statusCode, 403, name)
  }
})

t.test('with a token, its bearer reads from anywhere', async (t) => {
  const app = await start(t, { token })
  for (const authorization of [`Bearer ${token}`, `bearer ${token}`, `BEARER   ${token}`]) {
    const headers = { authorization, 'x-forwarded-for': '198.51.100.1' }
    const response = await app.inject({ url: '/metrics', remoteAddress: '203.0.113.9', headers })
    t.equal(response.statusCode, 200, authorization)
  }
})

t.test('with a token, everybody else gets 401 with a challenge, on this machine too', async (t) => {
  const app = await start(t, { token })
  const refused: Array<[authorization: string | undefined, error: boolean]> = [
    [undefined, false],
    ['', false],
    [`Basic ${token}`, false],
    ['Bearer', false],
    [`Bearer ${token} ${token}`, false],
    [`Bearer ${token}, Bearer ${token}`, false],
    [`Bearer ${token}x`, true],
    [`Bearer ${token.slice(0, -1)}`, true],
    [`Bearer ${token.toUpperCase()}`, true]
  ]
  for (const [authorization, hasError] of refused) {
    const headers = authorization === undefined ? {} : { authorization }
    const response = await app.inject({ url: '/metrics', headers })
    t.equal(response.statusCode, 401, String(authorization))
    t.equal(response.json().code, 'METRICS_UNAUTHORIZED')
    const challenge = hasError ? 'Bearer realm="metrics", error="invalid_token"' : 'Bearer realm="metrics"'
    t.equal(response.headers['www-authenticate'], challenge)
  }
  t.equal((await app.inject(`/metrics?token=${token}&access_token=${token}`)).statusCode, 401)
  t.equal((await app.inject({ method: 'HEAD', url: '/metrics' })).statusCode, 401)
})

t.test('a token that can be guessed is refused at registration', async (t) => {
  for (const short of ['', 'x', 'fifteen-letters']) {
    await t.rejects(async () => Fastify().register(metrics, { token: short }), /at least 16 characters/)
  }
})

t.test('the route is public, answers under any host and describes itself', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  const routes: RouteOptions[] = []
  app.addHook('onRoute', (route) => void routes.push(route))

  await app.register(metrics, { path: '/internal/metrics' })

  t.match(routes, [
    {
      method: 'GET',
      url: '/internal/metrics',
      config: { auth: 'public', anyHost: true, log: false },
      schema: { operationId: 'getMetrics', tags: ['metrics'], response: { 200: { content: { 'text/plain': {} } } } }
    },
    { method: 'HEAD' }
  ])
  t.equal((await app.inject('/internal/metrics')).statusCode, 200)
})
