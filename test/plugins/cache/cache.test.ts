import { once } from 'node:events'
import { get } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import Fastify from 'fastify'
import t from 'tap'
import { cachePlugin, memoryStore, type RouteCache } from '../../../plugins/cache/index.ts'
import { metricsPlugin } from '../../../plugins/metrics/index.ts'
import { cacheSuite } from './cache-suite.ts'
import { startHost } from './host.ts'

cacheSuite(t, async () => {
  const store = memoryStore()
  return [store, store]
})

t.test('the tags of a kept answer live as long as it does', async (t) => {
  const clock = { ms: 0 }
  const { get } = await startHost(t, { store: memoryStore({ now: () => clock.ms }) })
  await get('/users/ana/posts')
  clock.ms = 40_000
  t.equal((await get('/users/ana/posts')).result, 'HIT')
})

t.test('who leaves while a kept answer is being sent makes nobody run the handler', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  let runs = 0
  let sending = Promise.withResolvers<void>()
  let gate: Promise<void> = Promise.resolve()
  await app.register(cachePlugin, { caller: () => null })
  const onSend = async () => {
    sending.resolve()
    await gate
  }
  app.get('/news', { config: { auth: 'public', cache: { key: 'news' } }, onSend }, async () => ({ run: ++runs }))
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  t.equal((await app.inject('/news')).headers['x-cache'], 'MISS')

  sending = Promise.withResolvers()
  const held = Promise.withResolvers<void>()
  gate = held.promise
  const connected = once(app.server, 'connection')
  const request = get({ host: '127.0.0.1', port, path: '/news' }).on('error', () => {})
  const [socket] = await connected
  await sending.promise
  request.destroy()
  if (!socket.destroyed) await once(socket, 'close')
  held.resolve()
  for (let n = 0; n < 5; n++) await turn()
  t.equal(runs, 1)
  t.equal((await app.inject('/news')).headers['x-cache'], 'HIT')
})

t.test('a configuration that cannot work stops the start with the name of the route', async (t) => {
  interface Route {
    method?: string
    url?: string
    params?: object
    querystring?: object
  }
  const start = async (cache: RouteCache, route: Route = {}) => {
    const { method = 'GET', url = '/users/:user/posts/:id', ...schema } = route
    const app = Fastify()
    t.teardown(() => app.close())
    await app.register(cachePlugin, { caller: () => null })
    app.route({ method, url, config: { cache, auth: 'optional' }, schema, handler: async () => null })
  }
  const uuid = { type: 'string', format: 'uuid' }
  const params = { params: { type: 'object', properties: { user: { type: 'string' }, id: uuid } } }
  const querystring = { type: 'object', properties: { q: { type: 'string' }, page: { type: 'integer', default: 1 } } }
  const cases: [RouteCache, Route, RegExp][] = [
    [
      { key: '{nobody}' },
      {},
      /Route GET \/users\/:user\/posts\/:id: config\.cache: "\{nobody\}": \{nobody\} has no value/
    ],
    [{ key: 'x', tags: ['{q}'] }, { querystring }, /\{q\} has no value in each request; .*\{page\}/],
    [{ key: 'x', invalidates: ['y'] }, {}, /a read cannot invalidate/],
    [{}, {}, /give either `key` or `prefix`/],
    [{ key: 'x', prefix: 'y' }, {}, /give either `key` or `prefix`/],
    [{ prefix: 'posts' }, {}, /`prefix` needs `id`: user, id could be meant/],
    [{ prefix: 'posts' }, { url: '/posts' }, /`prefix` needs `id`: no parameter could be meant/],
    [{ prefix: 'posts', id: 'other' }, {}, /id "other" is no parameter/],
    [{ key: 'x', ttl: 0 }, {}, /ttl must be 1 to 86400/],
    [{ key: 'x', stale: -1 }, {}, /stale must be/],
    [{ key: 'x', client: true }, {}, /`client` is for routes with config\.auth 'public'/],
    [{ invalidates: [] }, { method: 'POST' }, /Route POST .* a write needs `invalidates` or `prefix`/],
    [{ invalidates: ['{body}'] }, { method: 'POST' }, /\{body\} has no value/],
    [{ key: 'x' }, { method: 'PUT' }, /only a GET has key/]
  ]
  for (const [cache, route, reason] of cases) await t.rejects(start(cache, route), reason, String(reason))
  await t.resolves(start({ prefix: 'posts' }, params), 'the only parameter that is a UUID is the id')
  await t.resolves(start({ prefix: 'posts' }, { url: '/posts/:id', method: 'DELETE' }))
  await t.resolves(start({ key: '{user}:{page}', tags: ['{@caller}'] }, { querystring }))
  // @ts-expect-error A caller is required
  await t.rejects(Promise.resolve(Fastify().register(cachePlugin, {})), /`caller` must be a function/)
})

t.test('an inferred id names what a write drops', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(cachePlugin, { caller: () => null })
  let runs = 0
  app.get('/items/:item_id', { config: { cache: { prefix: 'items' } } }, async () => ({ runs: ++runs }))
  app.delete('/items/:item_id', { config: { cache: { prefix: 'items' } } }, async (_request, reply) =>
    reply.code(204).send()
  )
  const read = async (id: string) => (await app.inject(`/items/${id}`)).json().runs
  t.same([await read('a'), await read('b'), await read('a')], [1, 2, 1])
  await app.inject({ method: 'DELETE', url: '/items/a' })
  t.same([await read('a'), await read('b')], [3, 2])
})

t.test('without a store everything works, uncached', async (t) => {
  const { get, write, app, runs, posts } = await startHost(t, { store: null })
  posts.set('ana', ['first'])
  for (let i = 1; i <= 2; i++) {
    t.match(await get('/users/ana/posts'), { status: 200, result: 'BYPASS' })
    t.equal(runs.get('/users/ana/posts'), i)
  }
  t.equal(await app.cache.wrap('n', {}, async () => 1), 1)
  t.equal(await app.cache.get('n'), undefined)
  t.equal((await write('PATCH', '/users/ana/posts/0', { text: 'x' })).status, 200)
})

t.test('a leader that never comes back keeps others waiting for a bounded time only', async (t) => {
  const { get, gate } = await startHost(t, { waitMs: 50 })
  const held = Promise.withResolvers<void>()
  const entered = Promise.withResolvers<void>()
  gate.wait = () => {
    gate.wait = async () => undefined
    entered.resolve()
    return held.promise
  }
  const lost = get('/users/ana/posts')
  await entered.promise
  t.equal((await get('/users/ana/posts')).status, 200)
  held.resolve()
  t.equal((await lost).status, 200)
})

t.test('memory is bounded, and what is too long is not kept', async (t) => {
  const { app, get, posts } = await startHost(t, { store: memoryStore({ maxSize: 20_000 }), maxBodySize: 5000 })
  for (let i = 0; i < 100; i++) await app.cache.set(`key ${i}`, 'x'.repeat(1000))
  const kept = await Promise.all(Array.from({ length: 100 }, (_, i) => app.cache.get(`key ${i}`)))
  t.ok(kept.filter((value) => value !== undefined).length <= 20)
  t.equal(kept.at(-1), 'x'.repeat(1000))
  posts.set('ana', ['x'.repeat(5000)])
  for (let i = 0; i < 2; i++) t.equal((await get('/users/ana/posts')).result, 'MISS')
})

t.test('figures are in the metrics', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(metricsPlugin)
  await app.register(cachePlugin, { caller: () => null })
  app.get('/note', { config: { cache: { key: 'note' } } }, async () => ({}))
  for (let i = 0; i < 3; i++) await app.inject('/note')
  await app.cache.invalidate('note', 'other')
  const { body } = await app.inject('/metrics')
  for (const line of ['requests_total{result="hit"} 2', 'requests_total{result="miss"} 1', 'invalidations_total 2']) {
    t.match(body, `cache_${line}`)
  }
  t.match(body, 'cache_pending_invalidations 0')
})
