import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { requestId } from '../../../plugins/logging/request-id.ts'
import { startHost } from './host.ts'

const OWN = /^[0-9a-f]{12}-[0-9a-z]+$/

t.test('a sane X-Request-ID is taken over, echoed and logged (O05)', async (t) => {
  const { app, lines } = await startHost(t)
  app.get('/', async (request) => ({ id: request.id }))

  for (const id of ['a', 'A-Z_09', 'x'.repeat(64), '7e6b0c1a-3a52-4a0e-8d3b-0f6b8a1c2d3e']) {
    const answer = await app.inject({ url: '/', headers: { 'x-request-id': id } })

    t.equal(answer.headers['x-request-id'], id)
    t.equal(answer.json().id, id)
    t.equal(lines().at(-1)?.request_id, id)
  }
})

t.test('any other X-Request-ID is replaced by one of our own (O05)', async (t) => {
  const { app, raw } = await startHost(t)
  app.get('/', async () => ({}))

  for (const id of [
    '',
    'x'.repeat(65),
    'a b',
    'a,b',
    'a.b',
    '"evil"',
    '<script>',
    'a\u00e9',
    'a\u009b',
    '../a',
    'a=1;'
  ]) {
    const answer = await app.inject({ url: '/', headers: { 'x-request-id': id } })

    t.match(answer.headers['x-request-id'], OWN, JSON.stringify(id))
    t.match(raw.at(-1), `"request_id":"${answer.headers['x-request-id']}"`)
  }
  const twice = await app.inject({ url: '/', headers: { 'x-request-id': ['one', 'two'] } })
  t.match(twice.headers['x-request-id'], OWN, 'two headers')
})

t.test('every answer has its request id: success, error, refused body, unknown route, HEAD, 204', async (t) => {
  const { app } = await startHost(t)
  app.get('/', async () => ({}))
  app.get('/empty', async (_request, reply) => reply.code(204).send())
  app.get('/stream', async () => new Blob(['text']).stream())
  app.get('/fails', async () => {
    throw new Error('boom')
  })
  app.post('/', { schema: { body: { type: 'object', required: ['a'] } } }, async () => ({}))

  const json = { 'content-type': 'application/json' }
  const requests = [
    { url: '/', status: 200 },
    { url: '/', method: 'HEAD', status: 200 },
    { url: '/empty', status: 204 },
    { url: '/stream', status: 200 },
    { url: '/fails', status: 500 },
    { url: '/unknown', status: 404 },
    { url: '/', method: 'POST', headers: json, payload: '{', status: 400 },
    { url: '/', method: 'POST', headers: json, payload: '{}', status: 400 },
    { url: '/', method: 'POST', headers: { 'content-type': 'text/unknown' }, payload: 'x', status: 415 }
  ] as const

  for (const { status, ...request } of requests) {
    const answer = await app.inject(request)

    t.equal(answer.statusCode, status, JSON.stringify(request))
    t.match(answer.headers['x-request-id'], OWN)
    t.match(answer.headers['server-timing'], /^app;dur=\d+(\.\d)?$/)
    t.match(answer.headers['x-response-time'], /^\d+(\.\d)?ms$/)
  }
})

t.test('Server-Timing keeps what a handler measured', async (t) => {
  const { app } = await startHost(t)
  app.get('/', async (_request, reply) => reply.header('server-timing', 'db;dur=3').send({}))

  const answer = await app.inject('/')

  t.match(answer.headers['server-timing'], /^db;dur=3, app;dur=\d+(\.\d)?$/)
})

t.test('ids of one process and of two never meet', async (t) => {
  const script = `import { requestId } from ${JSON.stringify(join(import.meta.dirname, '../../../plugins/logging/request-id.ts'))}
    for (let i = 0; i < 1000; i++) console.log(requestId({ headers: {} }))`
  const other = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], {
    env: { ...process.env, NODE_OPTIONS: '' }
  })

  const ids = [...other.stdout.trim().split('\n'), ...Array.from({ length: 1000 }, () => requestId({ headers: {} }))]

  t.equal(new Set(ids).size, 2000)
  t.ok(ids.every((id) => OWN.test(id)))
})
