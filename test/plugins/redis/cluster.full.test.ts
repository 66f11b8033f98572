import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { closeRedis, createRedis, type Guard, guard } from '../../../plugins/redis/index.ts'
import { type OwnRedis, startRedisCluster, untilClusterIsWhole } from '../../support/own-redis.ts'
import { startLoad, untilClosed } from './load.ts'

t.setTimeout(120_000)

const deadlineMs = 100
/** How exact timers are; what a busy machine adds is measured. */
const slackMs = 30

t.test('keys all over a Cluster are served, each by its own master, with the prefix', async (t) => {
  const nodes = await startRedisCluster(t, 3)
  const redisGuard = await connect(t, nodes)
  const keys = Array.from({ length: 100 }, (_, index) => `key:${index}`)
  await Promise.all(keys.map((key) => redisGuard.call((client) => client.set(key, key))))
  t.same(await Promise.all(keys.map((key) => redisGuard.call((client) => client.get(key)))), keys)
  const sizes = await Promise.all(nodes.map((node) => node.command('DBSIZE')))
  t.ok(
    sizes.every((size) => Number(size) > 10),
    `all masters hold keys: ${sizes}`
  )
  t.equal(await redisGuard.call((client) => client.eval('return redis.call("GET", KEYS[1])', 1, 'key:1')), 'key:1')
})

t.test('a master dies and its replica takes over', async (t) => {
  const nodes = await startRedisCluster(t, 3, 1)
  const [victim, ...others] = nodes
  const redisGuard = await connect(t, nodes)
  const load = startLoad(t, redisGuard, increment)
  await sleep(300)
  const diedAt = performance.now()
  await victim?.kill()
  await untilPromoted(others)
  const promotedAt = performance.now()
  await untilClosed(redisGuard)
  const recoveredMs = Math.round(performance.now() - promotedAt)
  await t.resolves(incrementEverywhere(redisGuard))
  await load.stop()
  t.comment(`promoted after ${Math.round(promotedAt - diedAt)} ms`)
  report(t, load, recoveredMs, redisGuard)
})

t.test('a master dies and has no replica: the guard opens, and closes when the master is back', async (t) => {
  const nodes = await startRedisCluster(t, 3)
  const redisGuard = await connect(t, nodes)
  await outage(t, redisGuard, nodes, nodes.slice(0, 1), 'kill')
})

t.test('a master freezes', async (t) => {
  const nodes = await startRedisCluster(t, 3)
  const redisGuard = await connect(t, nodes)
  await outage(t, redisGuard, nodes, nodes.slice(0, 1), 'freeze')
})

t.test('all nodes die: not even then does a call wait longer than the deadline', async (t) => {
  const nodes = await startRedisCluster(t, 3)
  const redisGuard = await connect(t, nodes)
  await outage(t, redisGuard, nodes, nodes, 'kill')
})

t.test('all nodes freeze', async (t) => {
  const nodes = await startRedisCluster(t, 3)
  const redisGuard = await connect(t, nodes)
  await outage(t, redisGuard, nodes, nodes, 'freeze')
})

async function outage(t: Test, redisGuard: Guard, nodes: OwnRedis[], victims: OwnRedis[], kind: 'kill' | 'freeze') {
  const load = startLoad(t, redisGuard, increment)
  await sleep(300)
  t.equal(load.refused, 0, 'all is well before')
  const beganAt = performance.now()
  const opened = new Promise<number>((resolve) => redisGuard.once('open', () => resolve(performance.now())))
  await Promise.all(victims.map((node) => node[kind]()))
  const openedMs = Math.round((await opened) - beganAt)
  await sleep(2500)
  await Promise.all(victims.map((node) => (kind === 'kill' ? node.start() : node.thaw())))
  await untilClusterIsWhole(nodes, nodes.length)
  const wholeAt = performance.now()
  await untilClosed(redisGuard)
  const recoveredMs = Math.round(performance.now() - wholeAt)
  await t.resolves(incrementEverywhere(redisGuard))
  await load.stop()
  t.comment(`opened after ${openedMs} ms`)
  t.ok(openedMs < 1000, 'the breaker opens within a second')
  report(t, load, recoveredMs, redisGuard)
}

function report(t: Test, load: ReturnType<typeof startLoad>, recoveredMs: number, redisGuard: Guard): void {
  t.comment(
    `recovered after ${recoveredMs} ms, slowest call ${load.slowestMs} ms (lag ${load.lagMs}), ` +
      `${load.served} served, ${load.refused} refused, ${JSON.stringify(redisGuard.stats())}`
  )
  t.ok(recoveredMs <= 2000, 'it recovers within two seconds')
  t.ok(load.slowestMs <= deadlineMs + slackMs + load.lagMs, 'no call waits longer than the deadline')
  t.same(load.errors, [], 'nothing but RedisUnavailable is thrown')
}

async function connect(t: Test, nodes: readonly OwnRedis[]): Promise<Guard> {
  const addresses = nodes.map((node) => `127.0.0.1:${node.port}`)
  const client = createRedis({ nodes: addresses, prefix: 'faults:', commandTimeoutMs: 2 * deadlineMs })
  // A Cluster has the commands of a Redis.
  const redisGuard = guard(client as Redis, { deadlineMs })
  t.teardown(async () => {
    redisGuard.stop()
    await closeRedis(client)
  })
  await untilClosed(redisGuard)
  return redisGuard
}

async function untilPromoted(nodes: readonly OwnRedis[]): Promise<void> {
  const isWhole = async (node: OwnRedis) => String(await node.command('CLUSTER', 'INFO')).includes('cluster_state:ok')
  const masters = async () =>
    (await Promise.all(nodes.map(async (node) => String(await node.command('ROLE'))))).filter((role) =>
      role.startsWith('master')
    )
  while ((await masters()).length < 3 || !(await Promise.all(nodes.map(isWhole))).every(Boolean)) await sleep(20)
}

function increment(client: Redis, index: number): Promise<number> {
  return client.incr(`counter:${index % 50}`)
}

function incrementEverywhere(redisGuard: Guard): Promise<unknown> {
  return Promise.all(Array.from({ length: 50 }, (_, index) => redisGuard.call((client) => increment(client, index))))
}
