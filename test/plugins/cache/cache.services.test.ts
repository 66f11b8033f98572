import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { redisUrl } from '../../support/mode.ts'
import { startRedis } from '../../support/own-redis.ts'
import { cacheSuite } from './cache-suite.ts'
import { startHost } from './host.ts'
import { connect, untilClosed, untilOpen } from './redis.ts'

cacheSuite(t, async (t) => {
  const options = { url: redisUrl, prefix: `test:${crypto.randomUUID()}:` }
  const [one, two] = await Promise.all([connect(t, options), connect(t, options)])
  return [one.store, two.store]
})

t.test('with 100 000 other keys an invalidation is one key write, and nothing scans', async (t) => {
  const own = await startRedis(t)
  const { client, store } = await connect(t, { url: own.url })
  for (let at = 0; at < 100_000; at += 10_000) {
    await client.mset(Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`other:${at + i}`, 'x'])))
  }
  const { get, app } = await startHost(t, { store })
  for (let page = 1; page <= 50; page++) await get(`/users/ana/posts?page=${page}`)

  const commands: string[][] = []
  const monitor = await client.monitor()
  monitor.on('monitor', (_time: string, [name = '', ...args]: string[]) => commands.push([name.toUpperCase(), ...args]))
  const times: number[] = []
  for (let i = 0; i < 50; i++) {
    const startedAt = performance.now()
    await app.cache.invalidate('user:ana:posts')
    times.push(performance.now() - startedAt)
  }
  const [end] = await Promise.all([once(monitor, 'monitor'), client.echo('end')])
  t.ok(end)
  monitor.disconnect()
  const mine = commands.filter(([name]) => name !== 'ECHO' && name !== 'PING')
  t.equal(mine.length, 50, 'one command each')
  t.ok(mine.every(([name, key]) => name === 'SET' && key === 'cache:t:user:ana:posts'))
  // The quick ones: what other processes take from this one is no cost of an invalidation.
  const quick = times.sort((a, b) => a - b)[10] ?? Number.NaN
  t.ok(quick <= 2, `${quick.toFixed(2)} ms`)
  for (let page = 1; page <= 50; page++) {
    const { result } = await get(`/users/ana/posts?page=${page}`)
    if (result !== 'MISS') t.fail(`page ${page} is a ${result}`)
  }
  t.notOk(commands.some(([name = '']) => ['KEYS', 'SCAN', 'FLUSHDB', 'MGET', 'EVAL'].includes(name)))
})

t.test('every key has an end, and looking for what does not exist leaves nothing for long', async (t) => {
  const own = await startRedis(t)
  const { client, store } = await connect(t, { url: own.url })
  const { get, write } = await startHost(t, { store })
  for (let id = 0; id < 20; id++) await get(`/users/nobody/posts/${id}`)
  const claimed = await Promise.all((await client.keys('cache:*post:*')).map((key) => client.pttl(key)))
  t.equal(claimed.length, 20)
  t.ok(claimed.every((ms) => ms > 0 && ms <= 30_000))
  await get('/users/ana/posts')
  while ((await get('/users/ana/posts')).result !== 'HIT') await sleep(5)
  t.ok(
    (await client.pttl('cache:t:user:ana:posts')) > 3_600_000,
    'the tag of a kept answer lives longer than any answer'
  )
  await write('PATCH', '/users/ana/posts/1', { text: 'x' })
  const ttls = await Promise.all((await client.keys('*')).map((key) => client.pttl(key)))
  t.ok(ttls.every((ms) => ms > 0))
})

t.test('Redis goes: handlers run, no request fails; it comes back: hits again, and no old answer', async (t) => {
  const own = await startRedis(t)
  const { store, redisGuard } = await connect(t, { url: own.url, commandTimeoutMs: 100 })
  const { get, write, posts } = await startHost(t, { store })
  posts.set('ana', ['first', 'second'])
  await get('/users/ana/posts')
  t.equal((await get('/users/ana/posts')).result, 'HIT')

  own.freeze()
  const during = await Promise.all(Array.from({ length: 20 }, () => get('/users/ana/posts')))
  t.ok(during.every(({ status, result }) => status === 200 && result === 'BYPASS'))
  await write('PATCH', '/users/ana/posts/1', { text: 'while it was frozen' })
  t.equal(store.pending?.(), 2)
  t.match((await get('/users/ana/posts')).body, 'while it was frozen')
  await untilOpen(redisGuard)
  own.thaw()
  const answers: string[] = []
  const closed = untilClosed(redisGuard)
  while (redisGuard.state === 'open') {
    answers.push((await get('/users/ana/posts')).body)
    await Promise.race([closed, sleep(5)])
  }
  t.equal(store.pending?.(), 0)
  for (let i = 0; i < 5; i++) answers.push((await get('/users/ana/posts')).body)
  t.ok(answers.every((body) => body.includes('while it was frozen')))
  t.equal((await get('/users/ana/posts')).result, 'HIT')
})
