import type { FastifyInstance } from 'fastify'
import t from 'tap'
import { items } from '../plugins/rate-limit/host.ts'
import { patientRedis, startApp } from '../support/app.ts'
import { administrator, person } from '../support/people.ts'

const app = await startApp(t, { ...patientRedis, DEFAULT_RATE_LIMIT_LIMIT: '3', DEFAULT_RATE_LIMIT_PERIOD: '60' })
const admin = await administrator(app)

async function newTier(): Promise<string> {
  const name = `t${crypto.randomUUID().slice(0, 8)}`
  const created = await admin.as.post('/tiers', { name })
  t.equal(created.statusCode, 201, created.body)
  t.equal(created.headers.location, `/api/v1/tiers/${name}`)
  return name
}

/** Somebody with that tier. */
async function userOf(tier: string, service: FastifyInstance = app) {
  const user = await person(service)
  const changed = await admin.as.patch(`/users/${user.id}/tier`, { tier })
  t.equal(changed.statusCode, 200, changed.body)
  return user
}

const limit = (tier: string, rule: object) => admin.as.post(`/tiers/${tier}/rate-limits`, rule)
const tasks = { path: '/api/v1/tasks', method: 'POST' }
const tea = { message: 'Tea' }

async function statuses(call: () => Promise<{ statusCode: number }>, count: number): Promise<number[]> {
  const seen: number[] = []
  for (let n = 0; n < count; n++) seen.push((await call()).statusCode)
  return seen
}

t.test('a free user has one task an hour, a pro user ten, and another tier acts on the next request', async (t) => {
  await limit('free', { ...tasks, limit: 1, period: 3600 })
  await limit('pro', { ...tasks, limit: 10, period: 3600 })
  const free = await person(app)
  t.same(await statuses(() => free.as.post('/tasks', tea), 2), [201, 429])
  const pro = await userOf('pro')
  t.same(await statuses(() => pro.as.post('/tasks', tea), 11), [...new Array(10).fill(201), 429])

  t.equal((await admin.as.patch(`/users/${free.id}/tier`, { tier: 'pro' })).statusCode, 200)
  t.same(await statuses(() => free.as.post('/tasks', tea), 11), [...new Array(10).fill(201), 429])
  t.equal((await free.as.get('/users/me')).json().data.tier, 'pro')
  const event = await app.db
    .selectFrom('audit_events')
    .selectAll()
    .where('target_id', '=', free.id)
    .where('action', '=', 'tier.changed')
    .executeTakeFirstOrThrow()
  t.match(event, { actor_id: admin.id, details: { from: 'free', to: 'pro' } })
})

t.test('a rule is created, read, changed and deleted, and each acts at once', async (t) => {
  const tier = await newTier()
  const user = await userOf(tier)
  const created = await limit(tier, { ...tasks, name: 'tasks', limit: 2, period: 60 })
  t.equal(created.statusCode, 201, created.body)
  const { data } = created.json()
  t.match(data, { name: 'tasks', ...tasks, limit: 2, period: 60 })
  const url = `/tiers/${tier}/rate-limits/${data.id}`
  t.equal(created.headers.location, `/api/v1${url}`)
  t.same((await user.as.get(url)).json().data, data)
  t.match((await user.as.get(`/tiers/${tier}/rate-limits`)).json(), { total_count: 1, data: [data] })

  const [first, ...rest] = [
    await user.as.post('/tasks', tea),
    await user.as.post('/tasks', tea),
    await user.as.post('/tasks', tea)
  ]
  t.same(items(first.headers.ratelimit).tasks, { r: 1, t: 60 })
  t.same(
    rest.map(({ statusCode }) => statusCode),
    [201, 429]
  )
  t.match((await admin.as.patch(url, { limit: 4, name: null })).json().data, { limit: 4, name: null, period: 60 })
  t.same(await statuses(() => user.as.post('/tasks', tea), 3), [201, 201, 429], 'what was used counts on')

  t.equal((await admin.as.delete(url)).statusCode, 204)
  t.equal((await admin.as.delete(url)).statusCode, 404)
  t.same(await statuses(() => user.as.post('/tasks', tea), 4), [201, 201, 201, 429], 'the default applies')
})

t.test('paths are spelt as in the document, and a rule without a method is for all of them', async (t) => {
  const tier = await newTier()
  const user = await userOf(tier)
  t.equal((await limit(tier, { path: '/api/v1/todos/{todo_id}', limit: 2, period: 60 })).statusCode, 201)
  const url = '/todos/00000000-0000-4000-8000-000000000000'
  t.same(await statuses(() => user.as.get(url), 1), [404])
  t.same(await statuses(() => user.as.delete(url), 2), [404, 429])
  t.equal((await user.as.get('/todos')).statusCode, 200, 'other paths are none of it')

  const again = await limit(tier, { path: '/api/v1/todos/:todo_id', limit: 5, period: 60 })
  t.equal(again.statusCode, 409, 'another spelling is the same route')
  const item = (await limit(tier, { path: '/api/v1/items/:item_id', limit: 5, period: 60 })).json().data
  t.equal(item.path, '/api/v1/items/{item_id}')
  const changed = await admin.as.patch(`/tiers/${tier}/rate-limits/${item.id}`, { path: '/api/v1/todos/:todo_id' })
  t.equal(changed.statusCode, 409)
})

t.test('rules that would never act, doubles and senseless figures are refused', async (t) => {
  const tier = await newTier()
  const rule = { ...tasks, limit: 1, period: 60 }
  const bad: Array<[fields: object, status: number]> = [
    [{ path: '/api/v1/nowhere' }, 422],
    [{ path: '/health' }, 422],
    [{ method: 'DELETE' }, 422],
    [{ limit: 0 }, 422],
    [{ period: 0 }, 422],
    [{ limit: 1.5 }, 422],
    [{ name: 'Grüße' }, 422],
    [{ unknown: 1 }, 422],
    [{}, 201],
    [{}, 409],
    [{ method: null }, 201],
    [{ method: null }, 409]
  ]
  for (const [fields, status] of bad) {
    const answer = await limit(tier, { ...rule, ...fields })
    t.equal(answer.statusCode, status, `${JSON.stringify(fields)} ${answer.body}`)
  }
  t.equal((await limit('nobody', rule)).statusCode, 404)
})

t.test('a tier somebody has is not deleted, nor the one that new users get; others go with their rules', async (t) => {
  const tier = await newTier()
  await limit(tier, { ...tasks, limit: 1, period: 60 })
  const user = await userOf(tier)
  t.equal((await admin.as.delete(`/tiers/${tier}`)).statusCode, 409)
  t.equal((await admin.as.delete('/tiers/free')).statusCode, 409)
  t.equal((await admin.as.patch('/tiers/free', { name: 'gratis' })).statusCode, 409)
  t.equal((await admin.as.post('/tiers', { name: tier })).statusCode, 409)
  const renamed = `${tier}-2`
  t.match((await admin.as.patch(`/tiers/${tier}`, { name: renamed })).json().data, { name: renamed })
  t.equal((await user.as.get('/users/me')).json().data.tier, renamed)
  t.same(await statuses(() => user.as.post('/tasks', tea), 2), [201, 429], 'it keeps its rules')

  t.equal((await admin.as.patch(`/users/${user.id}/tier`, { tier: 'nobody' })).statusCode, 422)
  await admin.as.patch(`/users/${user.id}/tier`, { tier: 'free' })
  t.equal((await admin.as.delete(`/tiers/${renamed}`)).statusCode, 204)
  t.equal((await admin.as.get(`/tiers/${renamed}`)).statusCode, 404)
  const rows = await app.db
    .selectFrom('tier_rate_limits')
    .innerJoin('tiers', 'tiers.id', 'tier_id')
    .selectAll()
    .execute()
  t.notOk(rows.some(({ name }) => name === renamed))
})

t.test('everybody sees what remains to them, administrators of others too, and looking uses nothing', async (t) => {
  const tier = await newTier()
  await limit(tier, { ...tasks, name: 'tasks', limit: 7, period: 60 })
  const user = await userOf(tier)
  await user.as.post('/tasks', tea)
  await user.as.get('/todos')
  const mine = (await user.as.get('/rate-limits/me')).json().data
  const byName = Object.fromEntries(mine.map((quota: { policy: string }) => [quota.policy, quota]))
  t.match(byName, {
    tasks: { limit: 7, period: 60, remaining: 6 },
    todo_read: { limit: 1_000_000, period: 60, remaining: 999_999 },
    todo_write: { remaining: 1_000_000, reset: 0 },
    'per-user': { period: 3600, remaining: 999_998 }
  })
  const again = (await user.as.get('/rate-limits/me')).json().data
  const remaining = (quotas: Array<{ remaining: number }>) => quotas.map((quota) => quota.remaining)
  t.same(remaining(again), remaining(mine))
  t.same(remaining((await admin.as.get(`/users/${user.id}/rate-limits`)).json().data), remaining(mine))
  t.match((await user.as.get(`/users/${user.id}/tier`)).json().data, { name: tier })
  const other = await person(app)
  t.equal((await other.as.get(`/users/${user.id}/rate-limits`)).statusCode, 404)
  t.equal((await other.as.get(`/users/${user.id}/tier`)).statusCode, 404)
})

t.test('new users get DEFAULT_TIER, and without it the service does not start', async (t) => {
  const payload = { email: 'new@example.com', username: 'newcomer', password: 'Secret-newcomer-1' }
  const registered = await app.inject({ method: 'POST', url: '/api/v1/auth/register', payload })
  t.equal(registered.json().data.tier, 'free')
  await t.rejects(startApp(t, { DEFAULT_TIER: 'platinum' }), /DEFAULT_TIER: there is no tier platinum/)
})
