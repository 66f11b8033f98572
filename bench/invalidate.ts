import Fastify from 'fastify'
import { Redis } from 'ioredis'
import cache, { redisStore } from '../plugins/cache/index.ts'
import { guard } from '../plugins/redis/index.ts'

// node bench/invalidate.ts: the time of an invalidation and of one SET beside it, with 1000 to 1 000 000 other keys. In a
// Redis of its own (REDIS_URL, e.g. redis-server --port 6390), which is emptied.

const ROUNDS = 300

const client = new Redis(process.env.REDIS_URL ?? 'redis://127.0.0.1:6390')
await client.ping()
const app = Fastify()
await app.register(cache, { caller: () => null, store: redisStore(guard(client)) })

async function median(work: () => Promise<unknown>): Promise<number> {
  const times: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const startedAt = performance.now()
    await work()
    times.push(performance.now() - startedAt)
  }
  return times.sort((a, b) => a - b)[ROUNDS / 2] ?? Number.NaN
}

console.log('| other keys | invalidate, ms | one SET, ms |\n|---|---|---|')
await client.flushall()
let keys = 0
for (const size of [1000, 100_000, 1_000_000]) {
  for (; keys < size; keys += 1000) {
    await client.mset(Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`other:${keys + i}`, 'x'])))
  }
  await app.cache.wrap('value', { tags: ['tag'] }, async () => 1)
  const invalidate = await median(() => app.cache.invalidate('tag'))
  const set = await median(() => client.set('plain', 'x'))
  console.log(`| ${size} | ${invalidate.toFixed(3)} | ${set.toFixed(3)} |`)
}
await client.flushall()
await app.close()
client.disconnect()
