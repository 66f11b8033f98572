import { setTimeout as sleep } from 'node:timers/promises'
import Fastify from 'fastify'
import t, { type Test } from 'tap'
import { redisStore } from '../../../plugins/rate-limit/redis-store.ts'
import { redisPlugin } from '../../../plugins/redis/index.ts'
import { type OwnRedis, startRedisCluster } from '../../support/own-redis.ts'
import { untilClosed } from '../redis/load.ts'
import { call, startHost } from './host.ts'
import { startTraffic } from './traffic.ts'
import { checkOf } from './walk.ts'

t.setTimeout(300_000)

const as = (user: string) => ({ url: '/notes', headers: { 'x-user': user } })

t.test('L11: on a Cluster every check is one slot, exact, and spread over the nodes', async (t) => {
  const nodes = await startRedisCluster(t, 3)
  const { app, guard } = await limited(t, nodes, 1000)
  for (let user = 0; user < 20; user++) {
    const answers = await Promise.all(Array.from({ length: 50 }, () => app.inject(as(`u${user}`))))
    const passed = answers.filter(({ statusCode }) => statusCode === 200).length
    if (passed !== 5) t.equal(passed, 5, `user ${user}`)
  }
  const { take } = redisStore(
    guard,
    () => performance.now(),
    (_, error) => Promise.reject(error)
  )
  const quotas = { wide: { max: 100, seconds: 60 }, narrow: { max: 5, seconds: 60 } }
  const verdicts = await Promise.all(Array.from({ length: 200 }, (_, n) => take(checkOf(`ip:${n % 4}`, quotas))))
  t.equal(verdicts.filter(({ isAllowed }) => isAllowed).length, 20)
  for (const ip of [0, 1, 2, 3]) {
    t.match(await take(checkOf(`ip:${ip}`, quotas, 0)), { states: [{ remaining: 95 }, { remaining: 0 }] })
  }
  for (const node of nodes) {
    const keys = (await node.command('KEYS', 'rl:*')) as string[]
    t.ok(keys.length > 0, `${keys.length} keys on a node`)
    for (const key of keys) t.ok(Number(await node.command('PTTL', key)) > 0, `${key} has a time to live`)
  }
  for (const node of nodes) await node.command('SCRIPT', 'FLUSH')
  // So long a refusal is remembered.
  await sleep(1000)
  t.same(await call(app, as('u0'), 1), [429], 'SCRIPT FLUSH on every node forgets nothing')
  t.match(guard.stats(), { failures: 0 })
})

t.test('L11: a master dies, its replica takes over: no call fails and limits bite all the time', async (t) => {
  const nodes = await startRedisCluster(t, 3, 1)
  const { app, guard } = await limited(t, nodes, 100)
  const traffic = startTraffic(t, app)
  await sleep(300)
  const diedAt = performance.now()
  let closedAt = diedAt
  guard.on('close', () => {
    closedAt = performance.now()
  })
  await nodes[0]?.kill()
  // Those counted in Redis before the breaker opened are not known to memory.
  const passed = (await call(app, as('during'), 20)).filter((status) => status === 200).length
  t.ok(passed >= 5 && passed <= 10, `${passed} of 20 passed while the master was gone`)
  await sleep(3000)
  await untilClosed(guard)
  const closedMs = Math.round(closedAt - diedAt)
  for (let user = 0; user < 30; user++) t.same(await call(app, as(`after-${user}`), 6), [200, 200, 200, 200, 200, 429])
  await traffic.stop()
  const { slowestMs, lagMs, statuses } = traffic
  t.comment(
    `closed ${closedMs} ms after the death, slowest call ${slowestMs} ms (lag ${lagMs}), ${JSON.stringify(statuses)}`
  )
  t.same(Object.keys(statuses), ['200'])
  t.ok(slowestMs <= 100 + 30 + lagMs, 'nobody waited longer than the command deadline')
})

async function limited(t: Test, nodes: readonly OwnRedis[], commandTimeoutMs: number) {
  const connection = Fastify()
  t.teardown(() => connection.close())
  await connection.register(redisPlugin, { nodes: nodes.map(({ port }) => `127.0.0.1:${port}`), commandTimeoutMs })
  const guard = connection.redisGuard
  await untilClosed(guard)
  const host = await startHost(t, { guard, perAddress: { max: 1_000_000, seconds: 3600 } })
  host.app.get('/notes', { config: { limit: { service: 'note_read', max: 5, seconds: 60 } } }, async () => 'ok')
  await host.app.ready()
  return { ...host, guard }
}
