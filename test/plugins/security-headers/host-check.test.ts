import { once } from 'node:events'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import Fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import securityHeaders from '../../../plugins/security-headers/index.ts'

async function start(t: Test, allowedHosts: string[], trustProxy = false): Promise<FastifyInstance> {
  const app = Fastify({ trustProxy })
  t.teardown(() => app.close())
  await app.register(securityHeaders, { allowedHosts })
  app.get('/', async () => ({}))
  return app
}

const statusFor = async (app: FastifyInstance, host: string, more: Record<string, string> = {}) =>
  (await app.inject({ url: '/', headers: { host, ...more } })).statusCode

t.test('listed hosts are served, with any port and in any case', async (t) => {
  const app = await start(t, ['api.example.com', 'LOCALHOST', '*.tenant.example', '192.0.2.7', '[0:0:0:0:0:0:0:1]'])
  const served = [
    'api.example.com',
    'api.example.com:8443',
    'API.Example.COM',
    'api.example.com.',
    'localhost:3000',
    'a.tenant.example',
    'a.b.tenant.example:80',
    '192.0.2.7:3000',
    '[::1]',
    '[::1]:3000',
    '[0::1]'
  ]
  for (const host of served) t.equal(await statusFor(app, host), 200, host)
})

t.test('all other hosts get 400, tricks with prefixes, suffixes and user parts included', async (t) => {
  const app = await start(t, ['api.example.com', '*.tenant.example', '[::1]'])
  const refused = [
    '',
    'example.com',
    'evil.example',
    'xapi.example.com',
    'api.example.com.evil.example',
    'api.example.com@evil.example',
    'evil.example@api.example.com',
    'evil.example#.tenant.example',
    'evil.example/.tenant.example',
    'evil.example?.tenant.example',
    'tenant.example',
    '.tenant.example',
    'xtenant.example',
    'api.example.com:80:80',
    'api.example.com:port',
    'api.example.com, evil.example',
    'api.example.com evil.example',
    '[::2]',
    '[::1',
    '::1',
    '[::1]evil.example',
    '*.tenant.example'
  ]
  for (const host of refused) t.equal(await statusFor(app, host), 400, `"${host}"`)
})

t.test('the refusal is an error with a stable code, carries the security headers and echoes nothing', async (t) => {
  const app = await start(t, ['api.example.com'])

  const response = await app.inject({ url: '/', headers: { host: 'evil.example' } })

  t.match(response.json(), { code: 'HOST_NOT_ALLOWED', message: 'Host not allowed', statusCode: 400 })
  t.notMatch(response.body, 'evil')
  t.match(response.headers, { 'x-content-type-options': 'nosniff', 'cache-control': 'private, no-store' })
})

t.test('it comes before everything else, routing included', async (t) => {
  const app = await start(t, ['api.example.com'])
  let calls = 0
  app.addHook('onRequest', async () => void calls++)

  t.equal((await app.inject({ url: '/unknown', headers: { host: 'evil.example' } })).statusCode, 400)
  t.equal(await statusFor(app, 'evil.example'), 400)
  t.equal(calls, 0)
  t.equal(await statusFor(app, 'api.example.com'), 200)
  t.equal(calls, 1)
})

t.test('a forwarded host counts behind a trusted proxy, and then has to be allowed too', async (t) => {
  const trusting = await start(t, ['api.example.com'], true)
  const untrusting = await start(t, ['api.example.com'])
  const evil = { 'x-forwarded-host': 'evil.example' }
  const good = { 'x-forwarded-host': 'api.example.com' }

  t.equal(await statusFor(trusting, 'api.example.com', good), 200)
  t.equal(await statusFor(trusting, 'api.example.com', evil), 400)
  t.equal(await statusFor(trusting, 'evil.example', good), 400)
  t.equal(await statusFor(untrusting, 'evil.example', good), 400)
  t.equal(await statusFor(untrusting, 'api.example.com', evil), 200, 'nobody reads the header')
})

t.test('a request without a Host is refused', async (t) => {
  const app = await start(t, ['api.example.com'])
  const address = await app.listen({ port: 0, host: '127.0.0.1' })
  const socket = connect(Number(new URL(address).port), '127.0.0.1')
  await once(socket, 'connect')

  socket.write('GET / HTTP/1.0\r\n\r\n')
  const answer = await text(socket)

  t.match(answer, /^HTTP\/1\.1 400 .*HOST_NOT_ALLOWED/s)
})

t.test('a route for probes answers under any host when it says so', async (t) => {
  const app = await start(t, ['api.example.com'])
  app.get('/probe', { config: { anyHost: true } }, async () => ({}))

  t.equal((await app.inject({ url: '/probe', headers: { host: '10.1.2.3:3000' } })).statusCode, 200)
})

t.test('without a list any host is served', async (t) => {
  const app = await start(t, [])
  for (const host of ['evil.example', '']) t.equal(await statusFor(app, host), 200)
})

t.test('entries that no Host header can match are refused at registration', async (t) => {
  for (const entry of ['', '*', 'https://api.example.com', 'api.example.com:443', 'a/b', '::1', '*.', 'a.*.example']) {
    await t.rejects(async () => Fastify().register(securityHeaders, { allowedHosts: [entry] }), /allowedHosts/, entry)
  }
})
