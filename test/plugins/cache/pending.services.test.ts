import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { type CacheStore, redisStore } from '../../../plugins/cache/index.ts'
import { startRedis } from '../../support/own-redis.ts'
import { tcpProxy } from '../../support/tcp-proxy.ts'
import { startHost } from './host.ts'
import { connect, untilClosed, untilOpen } from './redis.ts'

/** A host whose answer is kept, on a Redis of its own. */
async function start(t: Test, { commandTimeoutMs = 100, maxPending = 10_000 } = {}) {
  const own = await startRedis(t)
  const { redisGuard, client } = await connect(t, { url: own.url, commandTimeoutMs })
  const store = redisStore(redisGuard, { maxPending })
  const host = await startHost(t, { store })
  host.posts.set('ana', ['first'])
  while ((await host.get('/users/ana/posts')).result !== 'HIT') await sleep(5)
  return { own, redisGuard, client, store, ...host }
}

async function untilWritten(store: CacheStore): Promise<void> {
  while (store.pending?.() !== 0) await sleep(10)
}

t.test('an invalidation that came too late is written soon, although the breaker stays closed', async (t) => {
  const { own, redisGuard, store, app, get, posts } = await start(t)
  own.freeze()
  const late = app.cache.invalidate('user:ana:posts')
  await sleep(130)
  own.thaw()
  await late
  posts.set('ana', ['second'])
  t.equal(store.pending?.(), 1)
  await untilWritten(store)
  t.equal(redisGuard.stats().opened, 0)
  t.match(await get('/users/ana/posts'), { result: 'MISS', body: /second/ })
})

t.test('what one moment invalidates is written together, each tag once', async (t) => {
  const { own, client, app, get } = await start(t)
  const sets = async () => Number(/cmdstat_set:calls=(\d+)/.exec(await client.info('commandstats'))?.[1])
  const before = await sets()
  await Promise.all(Array.from({ length: 50 }, () => app.cache.invalidate('user:ana:posts', 'b')))
  t.equal((await sets()) - before, 2)
  t.equal((await get('/users/ana/posts')).result, 'MISS')

  await own.command('CONFIG', 'SET', 'maxmemory', 1)
  await Promise.all([app.cache.invalidate('user:ana:posts'), app.cache.invalidate('c')])
  t.equal((await get('/users/ana/posts')).result, 'BYPASS', 'together they fail, too')
})

t.test('what a full Redis refused to write is not read from it, though it answers', async (t) => {
  const { own, redisGuard, store, app, get, posts } = await start(t)
  await own.command('CONFIG', 'SET', 'maxmemory', 1)
  await app.cache.invalidate('user:ana:posts')
  posts.set('ana', ['second'])
  t.equal(redisGuard.state, 'closed')
  t.match(await get('/users/ana/posts'), { result: 'BYPASS', body: /second/ })
  await own.command('CONFIG', 'SET', 'maxmemory', 0)
  await untilWritten(store)
  await untilClosed(redisGuard)
  t.match(await get('/users/ana/posts'), { result: 'MISS', body: /second/ })
})

t.test('with more of them than may wait, all entries go instead', async (t) => {
  const { own, redisGuard, store, app, get } = await start(t, { maxPending: 3 })
  own.freeze()
  await app.cache.invalidate('user:ana:posts', 'b', 'c', 'd')
  t.equal(store.pending?.(), 1)
  t.equal((await get('/users/ben/posts')).result, 'BYPASS', 'nothing at all is read here until then')
  own.thaw()
  await untilWritten(store)
  await untilClosed(redisGuard)
  t.equal((await get('/users/ana/posts')).result, 'MISS')
})

t.test('one that comes again while it is being written is written again', async (t) => {
  const { own, redisGuard, app } = await start(t)
  own.freeze()
  const opened = untilOpen(redisGuard)
  for (let n = 0; redisGuard.state === 'closed' && n < 20; n++) await app.cache.invalidate('user:ana:posts')
  await opened
  let flushes = 0
  // Beside the store's own, in the same round: by now it has sent what waited.
  redisGuard.beforeClose({
    isPending: () => flushes === 0,
    async flush() {
      if (flushes++ === 0) await app.cache.invalidate('user:ana:posts')
    }
  })
  const closed = untilClosed(redisGuard)
  own.thaw()
  await closed
  t.equal(flushes, 2)
})

t.test('nobody joins a read that was sent before', async (t) => {
  const own = await startRedis(t)
  const proxy = await tcpProxy(t, own.port)
  const { client } = await connect(t, { url: own.url })
  const { store } = await connect(t, { url: `redis://127.0.0.1:${proxy.port}`, commandTimeoutMs: 2000 })
  await client.set('cache:key', 'old')
  proxy.delay(100)
  const before = store.read(['key'])
  await sleep(50)
  await client.set('cache:key', 'new')
  t.same(await store.read(['key']), ['new'])
  t.same(await before, ['old'])
})
