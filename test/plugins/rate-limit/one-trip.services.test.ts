import { randomUUID } from 'node:crypto'
import t from 'tap'
import { redisPlugin } from '../../../plugins/redis/index.ts'
import { redisUrl } from '../../support/mode.ts'
import { as, call, items, note, startHost } from './host.ts'

const prefix = `test:${randomUUID()}:`
const { app } = await startHost(t, {}, (app) =>
  app.register(redisPlugin, { url: redisUrl, prefix, commandTimeoutMs: 5000 })
)
const { redis, redisGuard: guard } = app
await app.ready()
t.teardown(async () => {
  const keys = await redis.keys(`${prefix}*`)
  for (const key of keys) await redis.del(key.slice(prefix.length))
})

/** A host to which `x-user: <name>` is somebody it knows, unless `x-stranger` is sent as well. */
async function startKnowing(t: Parameters<typeof startHost>[0], perAddress: number) {
  const host = await startHost(t, {
    guard,
    perAddress: { max: perAddress, seconds: 60 },
    recall: ({ headers: { 'x-user': user, 'x-stranger': stranger } }) => {
      if (stranger !== undefined || user === 'bad') return undefined
      return typeof user === 'string' ? { key: `user:${user}` } : null
    }
  })
  host.app.get('/notes', { config: { auth: 'required', limit: note } }, async () => 'ok')
  return host.app
}

/** From an address that nobody has used. */
let addresses = 0
const from = (user: string, more = {}) => {
  addresses++
  return { ...as(user, more), remoteAddress: `198.51.100.${addresses}` }
}

t.test('of a caller who is known beforehand both checks are one trip, with the same answers', async (t) => {
  const app = await startKnowing(t, 100)
  const tripsOf = async (request: ReturnType<typeof from>) => {
    const before = guard.stats().calls
    const answers = []
    for (let n = 0; n < 4; n++) {
      const { statusCode, headers } = await app.inject(request)
      answers.push({ statusCode, policy: headers['ratelimit-policy'], limits: items(headers.ratelimit) })
    }
    return { answers, trips: guard.stats().calls - before }
  }
  const known = await tripsOf(from('known'))
  const stranger = await tripsOf(from('stranger', { 'x-stranger': '1' }))
  t.same(known.answers, stranger.answers)
  t.same(
    known.answers.map(({ statusCode }) => statusCode),
    [200, 200, 200, 429]
  )
  t.match(known.answers[2]?.limits, { 'per-address': { r: 97 }, note_read: { r: 0 } })
  t.same([known.trips, stranger.trips], [4, 8])
})

t.test('a call that the address refuses is not charged to the user', async (t) => {
  const app = await startKnowing(t, 2)
  const request = from('ada')
  t.same(await call(app, request, 5), [200, 200, 429, 429, 429])
  t.same(await call(app, from('ada'), 2), [200, 429], 'of three, two were used')
})

t.test('a call that the user’s quotas refuse is charged to the address', async (t) => {
  const app = await startKnowing(t, 5)
  const request = from('bob')
  const statuses = await call(app, request, 6)
  t.same(statuses, [200, 200, 200, 429, 429, 429])
  const refused = await app.inject(request)
  t.same(Object.keys(items(refused.headers.ratelimit)), ['per-address'])
})

t.test('L01: 100 calls at once over both checks pass exactly as often as allowed', async (t) => {
  const app = await startKnowing(t, 1000)
  const request = from('eve')
  const answers = await Promise.all(Array.from({ length: 100 }, () => app.inject(request)))
  t.equal(answers.filter(({ statusCode }) => statusCode === 200).length, note.max)
  t.equal(answers.filter(({ statusCode }) => statusCode === 429).length, 100 - note.max)
  const last = await app.inject({ ...request, headers: { 'x-user': 'somebody-else' } })
  t.match(items(last.headers.ratelimit), { 'per-address': { r: 899 } })
})

t.test('who is refused by what stands between the two checks is charged to the address alone', async (t) => {
  const app = await startKnowing(t, 3)
  const request = from('bad')
  t.same(await call(app, request, 4), [401, 401, 401, 429])
  t.equal(await redis.exists('rl:{user:bad}:note_read'), 0)
})

t.test('a route with a hook of its own, which may refuse, checks twice', async (t) => {
  const { app } = await startHost(t, {
    guard,
    perAddress: { max: 100, seconds: 60 },
    recall: () => ({ key: 'user:hooked' })
  })
  const refuse = async () => {
    throw Object.assign(new Error('Not today'), { statusCode: 403 })
  }
  app.get('/notes', { config: { limit: note }, onRequest: refuse }, async () => 'ok')
  t.same(await call(app, as('hooked'), 2), [403, 403])
  t.equal(await redis.exists('rl:{user:hooked}:note_read'), 0)
})

t.test('rules that have to be looked up first cost a trip, and an outage of them nothing else', async (t) => {
  let isOut = true
  const { app, feed } = await startHost(t, {
    guard,
    perAddress: { max: 100, seconds: 60 },
    recall: () => ({ key: 'user:tiered', tier: 'free' }),
    loadRules: async () => {
      if (isOut) throw new Error('out')
      return [{ path: '/notes', max: 3, seconds: 60 }]
    }
  })
  app.get('/notes', { config: { auth: 'required', limit: true } }, async () => 'ok')
  const tripsOf = async () => {
    const before = guard.stats().calls
    const { statusCode } = await app.inject(as('tiered', { 'x-tier': 'free' }))
    return [statusCode, guard.stats().calls - before]
  }
  t.same(await tripsOf(), [500, 1])
  isOut = false
  t.same(await tripsOf(), [200, 2])
  t.same(await tripsOf(), [200, 1])
  feed.change('free')
  t.same(await tripsOf(), [200, 2])
  t.same(await tripsOf(), [429, 1])
})

t.test('with Redis out both checks are made in memory', async (t) => {
  const { app } = await startHost(t, {}, (app) =>
    app.register(redisPlugin, { url: 'redis://127.0.0.1:1', connectTimeoutMs: 50 })
  )
  const { app: limited } = await startHost(t, {
    guard: app.redisGuard,
    perAddress: { max: 4, seconds: 60 },
    recall: () => ({ key: 'user:out' })
  })
  limited.get('/notes', { config: { auth: 'required', limit: note } }, async () => 'ok')
  t.same(await call(limited, as('out'), 5), [200, 200, 200, 429, 429])
})
