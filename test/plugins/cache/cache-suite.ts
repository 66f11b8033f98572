import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import type { CacheOptions } from '../../../plugins/cache/index.ts'
import { type Host, startHost } from './host.ts'
import { mixedRequests, type Stores, USERS } from './mixed-requests.ts'

/** What the plugin promises with any store. `stores` gives those of two processes that share what they keep. */
export function cacheSuite(t: Test, stores: Stores): void {
  const start = async (t: Test, options: Partial<CacheOptions> = {}): Promise<Host> => {
    const [store] = await stores(t)
    const host = await startHost(t, { store, ...options })
    for (const user of USERS) host.posts.set(user, ['first', 'second'])
    return host
  }

  t.test('a miss runs the handler, a hit does not, and both send the same answer', async (t) => {
    const { get, runs } = await start(t)
    const miss = await get('/users/ana/posts')
    const hit = await get('/users/ana/posts?page=1')
    t.equal(miss.result, 'MISS')
    t.equal(hit.result, 'HIT')
    t.equal(hit.body, miss.body)
    t.equal(hit.headers['content-type'], miss.headers['content-type'])
    t.equal(hit.headers.etag, miss.headers.etag)
    t.equal(hit.headers['content-length'], miss.headers['content-length'])
    t.equal(runs.get('/users/ana/posts?page=1'), undefined, 'a default value is the same value')
    t.equal((await get('/users/ana/posts?page=2')).result, 'MISS')
    t.equal((await get('/users/ben/posts')).result, 'MISS')
  })

  t.test('C07: a kept answer is 304 without the handler', async (t) => {
    const { get, runs, app } = await start(t)
    const etag = String((await get('/users/ana/posts')).headers.etag)
    const answer = await get('/users/ana/posts', undefined, { 'if-none-match': etag })
    t.equal(answer.status, 304)
    t.equal(answer.result, 'HIT')
    t.equal(answer.body, '')
    t.equal(runs.get('/users/ana/posts'), 1)
    const head = await app.inject({ method: 'HEAD', url: '/users/ana/posts' })
    t.match(head, { statusCode: 200, body: '', headers: { 'x-cache': 'HIT', etag } })
    t.equal(runs.get('/users/ana/posts'), 1)
    const first = await get('/users/ben/posts', undefined, { 'if-none-match': '*' })
    t.equal(first.status, 304, 'also the answer that is being made')
    t.equal((await get('/users/ben/posts')).status, 200, 'and it was kept whole')
  })

  t.test("the template's scenario: editing one's post makes exactly that user's pages miss", async (t) => {
    const { get, write } = await start(t)
    const urls = USERS.flatMap((user) => [
      ...Array.from({ length: 20 }, (_, page) => `/users/${user}/posts?page=${page + 1}`),
      `/users/${user}/posts/0`,
      `/users/${user}/posts/1`
    ])
    const results = async () => Promise.all(urls.map(async (url) => [url, (await get(url)).result] as const))
    await results()
    t.ok((await results()).every(([, result]) => result === 'HIT'))
    t.equal((await write('PATCH', '/users/ana/posts/1', { text: 'new' })).status, 200)
    for (const [url, result] of await results()) {
      const isHers = url.startsWith('/users/ana/posts?') || url === '/users/ana/posts/1'
      t.equal(result, isHers ? 'MISS' : 'HIT', url)
    }
    t.match((await get('/users/ana/posts')).body, 'new')
  })

  t.test('a refused or failed write drops nothing', async (t) => {
    const { get, write } = await start(t)
    await get('/users/ana/posts')
    t.equal((await write('PATCH', '/users/ana/posts/1', {})).status, 422)
    t.equal((await write('PATCH', '/users/ana/posts/1', { text: 'boom' })).status, 500)
    t.equal((await get('/users/ana/posts')).result, 'HIT')
  })

  t.test('C03: what one process changes, every other one answers with at once', async (t) => {
    const [here, elsewhere] = await stores(t)
    const one = await startHost(t, { store: here })
    const two = await startHost(t, { store: elsewhere })
    two.posts.set('ana', ['first'])
    await two.get('/users/ana/posts')
    for (let round = 0; round < 20; round++) {
      one.posts.set('ana', ['']).get('ana')
      await one.write('PATCH', '/users/ana/posts/0', { text: `round ${round}` })
      two.posts.set('ana', one.posts.get('ana') ?? [])
      const answer = await two.get('/users/ana/posts')
      t.equal(answer.result, 'MISS')
      t.match(answer.body, `round ${round}`)
      t.equal((await one.get('/users/ana/posts')).body, answer.body, 'and shares it again')
    }
  })

  t.test('C04: a slow reader does not bring back what was changed while it read', async (t) => {
    const { get, write, gate } = await start(t)
    const held = holdNext(gate)
    const slow = get('/users/ana/posts')
    await held.entered
    await write('PATCH', '/users/ana/posts/1', { text: 'changed' })
    const after = await get('/users/ana/posts')
    t.match(after.body, 'changed', 'who asks after the change does not get, nor wait for, the old answer')
    held.release()
    t.match((await slow).body, 'second', 'the slow one has read before it')
    for (let i = 0; i < 3; i++) t.match((await get('/users/ana/posts')).body, 'changed')
  })

  t.test('no tag drops what does not carry it, however it is spelt', async (t) => {
    const { get, app } = await start(t)
    await get('/users/ana/posts')
    for (const tag of ['*', '', 't:*', 'epoch', 'user:*', '{user}_posts']) await app.cache.invalidate(tag)
    t.equal((await get('/users/ana/posts')).result, 'HIT')
  })

  t.test('C04: who asks after a change does not get what the slow reader brings meanwhile', async (t) => {
    const { get, write, gate } = await start(t)
    const held = holdNext(gate)
    const slow = get('/users/ana/posts')
    await held.entered
    await write('PATCH', '/users/ana/posts/1', { text: 'changed' })
    const after = get('/users/ana/posts')
    await sleep(50)
    held.release()
    t.match((await slow).body, 'second')
    t.match((await after).body, 'changed')
  })

  t.test('C05: 500 parallel misses run the handler once', async (t) => {
    const { get, runs } = await start(t)
    const answers = await Promise.all(Array.from({ length: 500 }, () => get('/users/ana/posts')))
    t.equal(runs.get('/users/ana/posts'), 1)
    t.equal(new Set(answers.map(({ body }) => body)).size, 1)
    t.equal(answers.filter(({ result }) => result === 'MISS').length, 1)
  })

  t.test('after its TTL one request makes a new answer, and the others get the old one meanwhile', async (t) => {
    const { get, posts, clock, gate, runs } = await start(t)
    await get('/users/ana/posts')
    posts.set('ana', ['newer'])
    clock.ms += 53_000
    t.equal((await get('/users/ana/posts')).result, 'HIT', 'entries live up to a tenth shorter')
    clock.ms += 8000
    const held = holdNext(gate)
    const leader = get('/users/ana/posts')
    await held.entered
    for (let i = 0; i < 5; i++) {
      const { result, body } = await get('/users/ana/posts')
      t.equal(result, 'STALE')
      t.match(body, 'second')
    }
    held.release()
    t.match(await leader, { result: 'MISS', body: /newer/ })
    t.match(await get('/users/ana/posts'), { result: 'HIT', body: /newer/ })
    t.equal(runs.get('/users/ana/posts'), 2)
  })

  t.test('an invalidated answer is never served as a stale one', async (t) => {
    const { get, write, clock } = await start(t)
    await get('/users/ana/posts')
    await write('PATCH', '/users/ana/posts/1', { text: 'changed' })
    clock.ms += 61_000
    const answers = await Promise.all(Array.from({ length: 20 }, () => get('/users/ana/posts')))
    t.ok(answers.every(({ body, result }) => body.includes('changed') && result !== 'STALE'))
  })

  t.test('C01: 2000 mixed requests', (t) => mixedRequests(t, stores, 2000))

  t.test('C01: what else an answer depends on is part of its key', async (t) => {
    const { get } = await start(t, { variant: ({ headers }) => headers['x-roles']?.toString().split(' ') })
    for (const result of ['MISS', 'HIT']) {
      for (const roles of ['admin', 'user', 'admin user', 'admin,user']) {
        t.equal((await get('/note', 'ana', { 'x-roles': roles })).result, result, roles)
      }
    }
    await get('/users/ana/posts', 'ana')
    t.equal((await get('/users/ana/posts', 'ben', { 'x-roles': 'user' })).result, 'HIT', 'shared is shared')
  })

  t.test('C02: only public routes that opt in may be kept by browsers; private answers vary', async (t) => {
    const { get } = await start(t)
    for (const _ of ['MISS', 'HIT']) {
      t.equal((await get('/news')).headers['cache-control'], 'public, max-age=60')
      t.equal((await get('/news')).headers.vary, undefined)
      const note = await get('/note', 'ana')
      t.equal(note.headers['cache-control'], undefined)
      t.equal(note.headers.vary, 'Authorization')
    }
    const etag = String((await get('/news')).headers.etag)
    const unmodified = await get('/news', undefined, { 'if-none-match': etag })
    t.match(unmodified, { status: 304, headers: { etag, 'cache-control': 'public, max-age=60' } })
  })

  t.test('C06: errors and answers that set cookies are not kept, and make no waiting request fail', async (t) => {
    const { get, runs } = await start(t)
    for (let i = 1; i <= 3; i++) {
      t.equal((await get('/users/ana/posts/9')).status, 404)
      t.equal(runs.get('/users/ana/posts/9'), i)
      const { result, headers } = await get('/cookie')
      t.equal(result, 'MISS')
      t.equal(headers['set-cookie'], 'session=1')
      t.equal(runs.get('/cookie'), i)
    }
    const answers = await Promise.all(Array.from({ length: 20 }, () => get('/cookie')))
    t.ok(answers.every(({ headers }) => headers['set-cookie'] === 'session=1'))
  })

  t.test('C06: no value of one request, however it is written, names the answer to another', async (t) => {
    const { get, posts } = await start(t)
    posts.set('a_posts:page_2', ['tricky'])
    posts.set('a/b', ['slash'])
    const urls = ['a_posts:page_2', 'a', 'a%2Fb', 'a%252Fb', '%7Buser%7D', '..', 'ana%00', 'A']
    const bodies = await Promise.all(urls.map(async (user) => (await get(`/users/${user}/posts`)).body))
    const again = await Promise.all(urls.map(async (user) => (await get(`/users/${user}/posts`)).body))
    t.same(again, bodies)
    t.equal(new Set(bodies).size, urls.length)
    const poison = { 'x-forwarded-host': 'evil', 'x-original-url': '/users/ben/posts', 'x-cache': 'HIT', accept: 'x' }
    t.match(await get('/users/a/posts', undefined, poison), { result: 'HIT', body: bodies[1] })
  })

  t.test('app.cache keeps values of code by the same rules', async (t) => {
    const { app, clock } = await start(t)
    const { cache } = app
    let made = 0
    const make = async () => ({ made: ++made })
    const terms = { ttl: 10, tags: ['numbers'] }
    const results = await Promise.all([1, 2, 3].map(() => cache.wrap('n', terms, make)))
    t.same(results, [{ made: 1 }, { made: 1 }, { made: 1 }])
    t.same(await cache.get('n'), { made: 1 })
    await cache.invalidate('numbers')
    t.equal(await cache.get('n'), undefined)
    t.same(await cache.wrap('n', terms, make), { made: 2 })
    await cache.set('n', [1, null], terms)
    t.same(await cache.get('n'), [1, null])
    t.same(await cache.wrap('n', terms, make), [1, null])
    clock.ms += 10_001
    t.equal(await cache.get('n'), undefined)
    await t.rejects(
      cache.wrap('n', terms, async () => Promise.reject(new Error('no value'))),
      { message: 'no value' }
    )
    t.same(await cache.wrap('n', terms, make), { made: 3 })
  })
}

/** Holds up the next read that comes to the gate, and no later one. */
function holdNext(gate: Host['gate']) {
  const [entered, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  gate.wait = () => {
    gate.wait = async () => undefined
    entered.resolve()
    return released.promise
  }
  return { entered: entered.promise, release: released.resolve }
}
