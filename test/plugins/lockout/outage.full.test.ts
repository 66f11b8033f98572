import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { redisStore } from '../../../plugins/lockout/index.ts'
import { createRedis, type Guard, guard } from '../../../plugins/redis/index.ts'
import { type OwnRedis, startRedis, startRedisCluster } from '../../support/own-redis.ts'
import { untilClosed } from '../redis/load.ts'
import { startHost } from './host.ts'
import { lock, newAttempt, storeSuite } from './store-suite.ts'

t.setTimeout(120_000)

const deadlineMs = 100

async function connect(t: Test, address: { url: string } | { nodes: string[] }): Promise<Guard> {
  const client = createRedis({ ...address, commandTimeoutMs: 2 * deadlineMs })
  // A Cluster has the commands of a Redis.
  const redisGuard = guard(client, { deadlineMs }) as Guard
  t.teardown(() => {
    redisGuard.stop()
    client.disconnect()
  })
  await untilClosed(redisGuard)
  return redisGuard
}

const answers = (redisGuard: Guard) =>
  redisGuard
    .call((client) => client.ping())
    .then(
      () => true,
      () => false
    )

const outages: Record<string, (own: OwnRedis) => Promise<void>> = {
  killed: (own) => own.kill(),
  frozen: async (own) => own.freeze(),
  full: async (own) => void (await own.command('CONFIG', 'SET', 'maxmemory', '1'))
}

for (const [state, breakIt] of Object.entries(outages)) {
  t.test(`Redis ${state}: the lockout goes on in memory, nobody waits, and Redis takes over again`, async (t) => {
    const own = await startRedis(t)
    const redisGuard = await connect(t, { url: own.url })
    const { open, statuses } = await startHost(t, { store: redisStore(redisGuard), key: Buffer.alloc(32, 1) })
    t.same(await statuses(4), [401, 401, 401, 401])

    await breakIt(own)
    const tookMs: number[] = []
    const statusesInOutage: number[] = []
    for (let count = 0; count < 20; count++) {
      const startedAt = performance.now()
      statusesInOutage.push((await open({ ip: '192.0.2.9' })).statusCode)
      tookMs.push(Math.round(performance.now() - startedAt))
    }
    t.comment(`answers in ${tookMs.join(', ')} ms`)
    t.same(statusesInOutage, [...Array(5).fill(401), ...Array(15).fill(429)])
    // Client, account and the settling of both are several calls; only the first is waited for.
    t.ok(Math.max(...tookMs) < deadlineMs + 200)
    t.same(await statuses(1, { ip: '192.0.2.10', secret: 'right' }), [200])

    if (state === 'frozen') own.thaw()
    else if (state === 'full') await own.command('CONFIG', 'SET', 'maxmemory', '0')
    else await own.start()
    const backAt = performance.now()
    // Closed is not enough: the outage may have been too short to open the breaker.
    while (!(await answers(redisGuard))) await sleep(5)
    t.comment(`closed ${Math.round(performance.now() - backAt)} ms after Redis was back`)
    t.ok(performance.now() - backAt < 2000)
    if (state !== 'killed') t.same(await statuses(2), [401, 429], 'what Redis knew still counts')
  })
}

t.test('an attempt that Redis forgot, or never got, settles without an error', async (t) => {
  const own = await startRedis(t)
  const redisGuard = await connect(t, { url: own.url })
  const store = redisStore(redisGuard)
  for (const settle of [store.fail, store.takeBack]) {
    const attempt = newAttempt()
    t.equal(await store.enter('settled', attempt, lock), 0)
    await own.command('FLUSHALL')
    await settle('settled', attempt, lock, true)
  }
  t.equal(await store.fail('settled', newAttempt(), lock), false)
})

t.test('on a Cluster', async (t) => {
  const nodes = await startRedisCluster(t, 3)
  const redisGuard = await connect(t, { nodes: nodes.map(({ port }) => `127.0.0.1:${port}`) })
  storeSuite(t, redisStore(redisGuard))
})
