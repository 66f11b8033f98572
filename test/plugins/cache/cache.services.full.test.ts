import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { type CacheStore, memoryStore } from '../../../plugins/cache/index.ts'
import { redisUrl } from '../../support/mode.ts'
import { type OwnRedis, startRedis, startRedisCluster } from '../../support/own-redis.ts'
import { cacheSuite } from './cache-suite.ts'
import { startHost } from './host.ts'
import { mixedRequests } from './mixed-requests.ts'
import { connect, untilClosed } from './redis.ts'

t.setTimeout(300_000)

const nodes = await startRedisCluster(t, 3)

const onCluster = async (t: Test): Promise<[CacheStore, CacheStore]> => {
  const options = { nodes: nodes.map(({ port }) => `127.0.0.1:${port}`), prefix: `${crypto.randomUUID()}:` }
  const [one, two] = await Promise.all([connect(t, options), connect(t, options)])
  return [one.store, two.store]
}
t.test('the whole suite on a Redis Cluster of three nodes', async (t) => cacheSuite(t, onCluster))

const onRedis = async (t: Test): Promise<[CacheStore, CacheStore]> => {
  const { store } = await connect(t, { url: redisUrl, prefix: `test:${crypto.randomUUID()}:` })
  return [store, store]
}
const inMemory = async (): Promise<[CacheStore, CacheStore]> => [memoryStore(), memoryStore()]
for (const [where, stores] of Object.entries({ onCluster, onRedis, inMemory })) {
  t.test(`C01: 10 000 mixed requests ${where}`, (t) => mixedRequests(t, stores, 10_000))
}

t.test('Redis is killed under load: no request fails, and when it is back there are hits again', async (t) => {
  await survives(t, (own) => [own.kill, own.start])
})

t.test('Redis freezes under load: the same, and no old answer after it thaws', async (t) => {
  await survives(t, (own) => [async () => own.freeze(), async () => own.thaw()])
})

/** Two processes read all the time, one of them writes; Redis goes for two seconds in between. */
async function survives(t: Test, fault: (own: OwnRedis) => [() => Promise<void>, () => Promise<void>]): Promise<void> {
  const own = await startRedis(t)
  const [begin, end] = fault(own)
  const options = { url: own.url, commandTimeoutMs: 100 }
  const [here, elsewhere] = await Promise.all([connect(t, options), connect(t, options)])
  const one = await startHost(t, { store: here.store })
  const two = await startHost(t, { store: elsewhere.store })
  // One world, as a database would be.
  const posts = ['0']
  one.posts.set('ana', posts)
  two.posts.set('ana', posts)

  let isOver = false
  let written = 0
  const failed: number[] = []
  const ownOld: string[] = []
  let oldElsewhereUntil = 0
  const load = async (host: typeof one, isWriter: boolean) => {
    while (!isOver) {
      const before = written
      const { status, body } = await host.get('/users/ana/posts')
      if (status !== 200) failed.push(status)
      else if (Number(JSON.parse(body).posts[0]) < before) {
        if (isWriter) ownOld.push(body)
        else oldElsewhereUntil = performance.now()
      }
      if (isWriter && Math.random() < 0.2) {
        posts[0] = String(written + 1)
        one.posts.set('ana', posts)
        const answer = await one.write('PATCH', '/users/ana/posts/0', { text: posts[0] })
        if (answer.status !== 200) failed.push(answer.status)
        one.posts.set('ana', posts)
        written++
      }
      await sleep(2)
    }
  }
  const loads = [load(one, true), load(two, false)]
  await sleep(500)
  await begin()
  await sleep(2000)
  await end()
  const backAt = performance.now()
  await Promise.all([untilClosed(here.redisGuard), untilClosed(elsewhere.redisGuard)])
  const recoveredMs = performance.now() - backAt
  await sleep(1500)
  isOver = true
  await Promise.all(loads)

  t.same(failed, [])
  t.same(ownOld, [], 'who writes reads what they wrote, all the time')
  t.ok(recoveredMs <= 2000, `back after ${Math.round(recoveredMs)} ms`)
  t.ok(oldElsewhereUntil < backAt + 1500, 'elsewhere an old answer lasts no longer than the other breaker is open')
  t.equal(here.store.pending?.(), 0)
  await one.get('/users/ana/posts')
  t.equal((await two.get('/users/ana/posts')).result, 'HIT')
  t.comment(`${written} writes, back after ${Math.round(recoveredMs)} ms`)
}
