import Fastify from 'fastify'
import t from 'tap'
import { envelopePlugin, serverOptions } from '../../../plugins/envelope/index.ts'
import { type RateLimitOptions, rateLimitPlugin } from '../../../plugins/rate-limit/index.ts'
import { as, items, note, startHost } from './host.ts'

t.test('app.limits: handlers charge what only they know, and look at what remains', async (t) => {
  const { app } = await startHost(t, {
    perUser: { max: 100, seconds: 3600 },
    loadRules: async () => [{ name: 'tasks of pro', path: '/tasks', max: 10, seconds: 60 }]
  })
  app.get('/notes', { config: { limit: note } }, async () => 'ok')
  app.get('/tasks', { config: { limit: true } }, async () => 'ok')
  app.get('/export', async (request) => app.limits.consume(request, { service: 'rows', max: 10, seconds: 60, cost: 4 }))
  app.get('/mine', { config: { limit: false } }, async (request) => app.limits.status(request))
  const get = (url: string) => app.inject({ ...as('ann', { 'x-tier': 'pro' }), url })

  t.same((await get('/export')).json(), { policy: 'rows', limit: 10, period: 60, remaining: 6, reset: 60 })
  t.equal((await get('/export')).json().remaining, 2)
  const refused = await get('/export')
  t.equal(refused.statusCode, 429)
  t.same(items(refused.headers.ratelimit), { rows: { r: 2, t: 60 } })
  await get('/notes')
  await get('/tasks')
  const mine = [
    { policy: 'tasks of pro', limit: 10, period: 60, remaining: 9, reset: 60 },
    { policy: 'note_read', limit: 3, period: 60, remaining: 2, reset: 60 },
    { policy: 'per-user', limit: 100, period: 3600, remaining: 95, reset: 3600 }
  ]
  t.same((await get('/mine')).json(), mine)
  t.same((await get('/mine')).json(), mine, 'looking uses nothing')
  t.ok(app.limits.isRoute('/tasks', 'GET') && app.limits.isRoute('/tasks', null))
  t.notOk(app.limits.isRoute('/tasks', 'POST') || app.limits.isRoute('/mine', null))
})

t.test('with the envelope: a 429 in both shapes, and in the document of limited routes only', async (t) => {
  const app = Fastify(serverOptions())
  t.teardown(() => app.close())
  await app.register(envelopePlugin)
  await app.register(rateLimitPlugin, { legacyHeaders: true })
  const documented: Record<string, unknown> = {}
  app.addHook('onRoute', ({ url, schema }) => {
    documented[url] = (schema?.response as Record<string, unknown> | undefined)?.[429]
  })
  const schema = { response: { 200: { type: 'string' } } }
  const locked = { description: 'Locked out', headers: { 'Retry-After': { type: 'integer' } } }
  const own = { schema: { response: { ...schema.response, 429: locked } }, config: { limit: true } }
  app.get('/own', own, async () => 'ok')
  app.get('/notes', { schema, config: { limit: { ...note, max: 1 } } }, async () => 'ok')
  app.get('/free', { schema }, async () => 'ok')

  const allowed = await app.inject('/notes')
  t.match(allowed.headers, { 'x-ratelimit-limit': '1', 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '60' })
  const refused = await app.inject('/notes')
  t.match(refused.json(), {
    status: 'error',
    code: 429,
    error_code: 'RATE_LIMIT_EXCEEDED',
    message: 'Try again in 60 seconds'
  })
  t.match(refused.headers, { 'retry-after': '60', 'x-ratelimit-remaining': '0', 'cache-control': 'no-store' })
  const problem = await app.inject({ url: '/notes', headers: { accept: 'application/problem+json' } })
  t.match(problem.json(), {
    type: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
    title: 'Request cannot be satisfied as assigned quota has been exceeded',
    status: 429,
    'violated-policies': ['note_read']
  })
  t.match(documented['/notes'], { headers: { 'Retry-After': {}, RateLimit: {}, 'RateLimit-Policy': {} } })
  const headers = { ...locked.headers, RateLimit: {}, 'RateLimit-Policy': {} }
  t.match(documented['/own'], { ...locked, headers, content: undefined }, 'its body stays the route’s own')
  t.equal(documented['/free'], undefined)
})

t.test('limits that cannot be stop the start, and say why', async (t) => {
  const bad: Array<[options: RateLimitOptions, message: RegExp]> = [
    [{ perAddress: { max: 0, seconds: 60 } }, /`perAddress` must have a whole `max`/],
    [{ perUser: { max: 1.5, seconds: 60 } }, /`perUser`/],
    [{ fallback: { max: 1, seconds: 0 } }, /`fallback`/],
    [{ perAddress: null as never }, /`perAddress` must have a whole `max`/],
    [{ memoryKeys: 10 }, /`memoryKeys` must be/]
  ]
  for (const [options, message] of bad) await t.rejects(startHost(t, options), { message })
  const bare = Fastify()
  t.teardown(() => bare.close())
  await t.rejects(async () => bare.register(rateLimitPlugin, { loadRules: async () => [] }), {
    message: /needs the plugin `changes`/
  })
  const { app } = await startHost(t)
  app.get('/notes', { config: { limit: note } }, async () => 'ok')
  const route = (limit: unknown) => () =>
    app.get(`/${Math.random()}`, { config: { limit: limit as typeof note } }, async () => 'ok')
  t.throws(route({ ...note, service: 'Note-Read' }), /needs a `service` of lower-case/)
  t.throws(route({ max: 3, seconds: 60 }), /needs a `service` of lower-case/)
  t.throws(route({ ...note, service: ['note_read'] }), /needs a `service` of lower-case/)
  t.throws(route(null), /must have a whole `max`/)
  for (const limit of ['adress', 'true', 5]) t.throws(route(limit), /must be true, false, 'address' or \{ service/)
  t.throws(route({ ...note, max: 4 }), /disagree on the service note_read/)
  t.throws(route({ ...note, service: 'other', seconds: -1 }), /whole `seconds`/)

  const consume = (limit: object) => app.limits.consume(Object.create(null), { ...note, ...limit })
  await t.rejects(consume({ max: 4 }), /limits.consume and a route disagree on the service note_read/)
  await t.rejects(consume({ service: 'per-user' }), /needs a `service` of lower-case/)
  await t.rejects(consume({ cost: 4 }), /`cost` must be a whole number from 1 to `max`/)
})
