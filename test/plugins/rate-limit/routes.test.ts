import t from 'tap'
import { as, call, items, note, startHost } from './host.ts'

t.test('L01: of parallel calls exactly as many pass as allowed, and a minute later again', async (t) => {
  const { app, clock } = await startHost(t)
  app.get('/notes', { config: { limit: note } }, async () => 'ok')
  for (let round = 0; round < 3; round++) {
    const answers = await Promise.all(Array.from({ length: 200 }, () => app.inject(as('ann'))))
    t.equal(answers.filter(({ statusCode }) => statusCode === 200).length, 3)
    t.equal(answers.filter(({ statusCode }) => statusCode === 429).length, 197)
    clock.ms += 60_000
  }
})

t.test('L03: the headers are valid on 2xx and 429, and Retry-After is enough', async (t) => {
  const { app, clock } = await startHost(t, { perAddress: { max: 100, seconds: 3600 } })
  app.get('/notes', { config: { limit: note } }, async () => 'ok')

  const first = await app.inject(as('ann'))
  t.same(items(first.headers['ratelimit-policy']), {
    'per-address': { q: 100, w: 3600 },
    note_read: { q: 3, w: 60 }
  })
  t.same(items(first.headers.ratelimit), { 'per-address': { r: 99, t: 3600 }, note_read: { r: 2, t: 60 } })
  t.equal(first.headers['retry-after'], undefined)
  clock.ms += 10_500
  t.same(items((await app.inject(as('ann'))).headers.ratelimit).note_read, { r: 1, t: 50 })
  await app.inject(as('ann'))

  const refused = await app.inject(as('ann'))
  t.equal(refused.statusCode, 429)
  t.same(items(refused.headers['ratelimit-policy']), { note_read: { q: 3, w: 60 } }, 'the exceeded quota only')
  t.same(items(refused.headers.ratelimit), { note_read: { r: 0, t: 50 } })
  t.equal(refused.headers['retry-after'], '50')
  t.equal(refused.json().message, 'Try again in 50 seconds')
  clock.ms += 50_000
  t.same(await call(app, as('ann')), [200])
})

t.test('L03: the headers are valid for a caller whom nothing limits, too', async (t) => {
  const { app } = await startHost(t, { perAddress: { max: 10, seconds: 60 }, loadRules: async () => [] })
  app.get('/notes', { config: { auth: 'required' } }, async () => 'ok')
  const { headers } = await app.inject(as('ada', { 'x-tier': 'free' }))
  t.same(items(headers['ratelimit-policy']), { 'per-address': { q: 10, w: 60 } })
  t.same(items(headers.ratelimit), { 'per-address': { r: 9, t: 60 } })
})

t.test('L03: Retry-After covers what the refused call itself used up', async (t) => {
  const { app, clock } = await startHost(t, { perAddress: { max: 3, seconds: 60 } })
  app.get('/notes', { config: { limit: { service: 'n', max: 2, seconds: 1 } } }, async () => 'ok')
  t.same(await call(app, as('ann'), 2), [200, 200])
  const refused = await app.inject(as('ann'))
  t.equal(refused.statusCode, 429)
  t.same(items(refused.headers.ratelimit), { n: { r: 0, t: 1 } })
  t.equal(refused.headers['retry-after'], '60', 'it was the third one of its address')
  clock.ms += 60_000
  t.same(await call(app, as('ann')), [200])
})

t.test('L03: Retry-After covers what a handler charged before it was refused', async (t) => {
  const { app, clock } = await startHost(t, { legacyHeaders: true, perAddress: { max: 100, seconds: 60 } })
  app.get('/both', async (request) => {
    await app.limits.consume(request, { service: 'slow', max: 1, seconds: 60 })
    await app.limits.consume(request, { service: 'quick', max: 1, seconds: 2 })
    return 'ok'
  })
  app.get('/quick', (request) => app.limits.consume(request, { service: 'quick', max: 1, seconds: 2 }))
  t.same(await call(app, { ...as('ann'), url: '/quick' }), [200])
  const refused = await app.inject({ ...as('ann'), url: '/both' })
  t.same(items(refused.headers.ratelimit), { quick: { r: 0, t: 2 } })
  t.match(refused.headers, { 'retry-after': '60', 'x-ratelimit-limit': '1', 'x-ratelimit-remaining': '0' })
  clock.ms += 60_000
  t.same(await call(app, { ...as('ann'), url: '/both' }), [200])
})

t.test('L05: each method of a route has its own counter and rule, and HEAD that of GET', async (t) => {
  const { app } = await startHost(t, {
    perAddress: { max: 100, seconds: 60 },
    loadRules: async () => [{ path: '/notes', method: 'POST', max: 1, seconds: 60 }]
  })
  const method = ['GET', 'HEAD', 'POST', 'OPTIONS'] as const
  app.route({ method: [...method], url: '/notes', config: { limit: true }, handler: async () => 'ok' })
  const as = (method: 'GET' | 'HEAD' | 'POST' | 'OPTIONS') =>
    ({ method, url: '/notes', headers: { 'x-user': 'ann', 'x-tier': 'free' } }) as const
  t.same(await call(app, as('POST'), 2), [200, 429])
  t.same(await call(app, as('GET'), 10), new Array(10).fill(200))
  t.same(await call(app, as('HEAD')), [429])
  t.same(await call(app, as('OPTIONS'), 100), new Array(100).fill(200))
  t.ok(app.limits.isRoute('/notes', 'POST') && app.limits.isRoute('/notes', 'GET'))
  t.notOk(app.limits.isRoute('/notes', 'OPTIONS'))
})

t.test('L04: addresses, users and services each have counters of their own', async (t) => {
  const { app } = await startHost(t, { perUser: { max: 5, seconds: 3600 } })
  app.get('/notes', { config: { limit: note } }, async () => 'ok')
  app.post('/notes', { config: { limit: { service: 'note_write', max: 3, seconds: 60 } } }, async () => 'ok')
  const from = (ip: string) => ({ url: '/notes', headers: { 'x-forwarded-for': ip } })
  t.same(await call(app, as('ann'), 4), [200, 200, 200, 429])
  t.same(await call(app, as('bob')), [200], 'another user')
  t.same(await call(app, { method: 'POST', ...as('ann') }, 3), [200, 200, 429], 'another service, within the total')
  t.same(await call(app, from('192.0.2.1'), 4), [200, 200, 200, 429], 'anonymous: the address')
  t.same(await call(app, from('192.0.2.2')), [200], 'another address')
  t.same(await call(app, from('2001:db8::1'), 3), [200, 200, 200])
  t.same(await call(app, from('2001:db8::ffff:1')), [429], 'the same /64')
  t.same(await call(app, from('2001:db8:0:1::1')), [200], 'another /64')
})

t.test('L04: whom `identify` knows nothing of is anonymous', async (t) => {
  const { app } = await startHost(t, { identify: () => undefined as never })
  app.get('/notes', { config: { limit: note } }, async () => 'ok')
  t.same(await call(app, '/notes', 4), [200, 200, 200, 429])
})

t.test('L04: the address is charged before it is known who calls, also for failed sign-ins', async (t) => {
  const { app } = await startHost(t, { perAddress: { max: 4, seconds: 60 } })
  app.get('/notes', { config: { auth: 'required', limit: note } }, async () => 'ok')
  t.same(await call(app, as('bad'), 3), [401, 401, 401])
  const told = await app.inject(as('ann'))
  t.same(items(told.headers.ratelimit), { 'per-address': { r: 0, t: 60 }, note_read: { r: 2, t: 60 } })
  t.same(await call(app, as('bad')), [429], 'refused before authentication')
  t.same(await call(app, as('ann', { 'x-forwarded-for': '192.0.2.9' })), [200])
})

t.test('L05: neither case, trailing slash, query, HEAD nor an unknown path opens another counter', async (t) => {
  const { app } = await startHost(t, { perPublicRoute: { max: 3, seconds: 60 } })
  app.get('/login', { config: { auth: 'public' } }, async () => 'ok')
  app.get('/login/:id', { config: { auth: 'public' } }, async () => 'ok')
  t.same(await call(app, '/login', 1), [200])
  t.same(await call(app, '/login?x=1', 1), [200])
  t.same(await call(app, { method: 'HEAD', url: '/login' }), [200])
  t.same(await call(app, '/login?x=2', 1), [429])
  t.same(await call(app, { method: 'HEAD', url: '/login' }), [429])
  t.same(await call(app, '/%6cogin', 1), [429], 'an encoded letter is the same route')
  t.same(await call(app, '/login/1', 2), [200, 200])
  t.same(await call(app, '/login/2', 2), [200, 429], 'all values of a parameter are one route')
  t.same(await call(app, '/LOGIN', 1), [404])
  t.same(
    await call(app, '/login/', 1),
    [404].map(() => 429),
    'and the empty one, too'
  )
})

t.test('L06: unknown routes and methods are limited, all together', async (t) => {
  const { app } = await startHost(t, { perPublicRoute: { max: 3, seconds: 60 } })
  app.get('/notes', async () => 'ok')
  t.same(await call(app, '/a'), [404])
  t.same(await call(app, { method: 'DELETE', url: '/notes' }), [404])
  t.same(await call(app, '/b?c'), [404])
  const refused = await app.inject('/d')
  t.equal(refused.statusCode, 429)
  t.same(items(refused.headers.ratelimit), { 'unknown route': { r: 0, t: 60 } })
})

t.test('L10: a route that says false, one mounted before, and preflights are not limited', async (t) => {
  const { app } = await startHost(
    t,
    { perAddress: { max: 1, seconds: 60 }, perPublicRoute: { max: 1, seconds: 60 } },
    (app) => {
      app.get('/health', async () => 'ok')
    }
  )
  app.get('/metrics', { config: { auth: 'public', limit: false } }, async () => 'ok')
  app.options('/notes', async () => 'ok')
  app.get('/notes', async () => 'ok')
  t.same(await call(app, '/health', 3), [200, 200, 200])
  t.same(await call(app, '/metrics', 3), [200, 200, 200])
  t.same(await call(app, { method: 'OPTIONS', url: '/notes' }, 3), [200, 200, 200])
  t.same(await call(app, '/notes', 2), [200, 429], 'and nothing was charged for them')
})

t.test(
  'tiers: the rule for the method, else for the path, else the default; edits act when the feed tells',
  async (t) => {
    const loads: string[] = []
    const rules: Record<string, Array<{ path: string; method?: string; max: number; seconds: number }>> = {
      free: [{ path: '/tasks', method: 'POST', max: 1, seconds: 3600 }],
      pro: [
        { path: '/tasks', method: 'POST', max: 10, seconds: 3600 },
        { path: '/tasks', max: 2, seconds: 60 }
      ]
    }
    const { app, feed, lines } = await startHost(t, {
      fallback: { max: 3, seconds: 60 },
      loadRules: async (tier) => {
        loads.push(tier)
        return rules[tier] ?? []
      }
    })
    app.post('/tasks', { config: { limit: true } }, async () => 'ok')
    app.get('/tasks', async () => 'ok')
    const post = (user: string, tier: string) =>
      ({ method: 'POST', url: '/tasks', headers: { 'x-user': user, 'x-tier': tier } }) as const

    t.same(await call(app, post('ann', 'free'), 2), [200, 429])
    t.same(await call(app, post('bob', 'pro'), 11), [...new Array(10).fill(200), 429])
    t.same(await call(app, { ...post('bob', 'pro'), method: 'GET' }, 3), [200, 200, 429], 'the rule for any method')
    t.same(await call(app, { ...post('ann', 'free'), method: 'GET' }, 3), [200, 200, 200], 'no rule, no limit')
    t.same(await call(app, post('cid', 'none'), 4), [200, 200, 200, 429], 'no rule, but limited: the default')
    t.same(await call(app, post('ann', 'pro'), 11), [...new Array(10).fill(200), 429], 'a tier counts for itself')
    t.same(loads, ['free', 'pro', 'none'], 'rules are loaded once')
    const warnings = lines.filter(({ level }) => level === 40)
    t.match(warnings, [{ route: 'POST /tasks', tier: 'none', max: 3 }], 'and the log tells once of the missing rule')
    t.equal(warnings.length, 1)

    rules.free = [{ path: '/tasks', method: 'POST', max: 2, seconds: 3600 }]
    t.same(await call(app, post('ann', 'free')), [429], 'not told yet')
    feed.change('free')
    t.same(await call(app, post('ann', 'free'), 2), [200, 429])
    feed.isFresh = false
    rules.free = []
    t.same(await call(app, post('ann', 'free')), [200], 'nothing remembered is trusted while the feed is silent')
  }
)
