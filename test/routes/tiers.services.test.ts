import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { generateSecrets } from '../../src/secrets.ts'
import { patientRedis, startApp } from '../support/app.ts'
import { testDatabase } from '../support/database.ts'
import { administrator, caller, person } from '../support/people.ts'

// Two services of one configuration, as two processes are.
const { url = '' } = await testDatabase(t, 'services')
const { APP_KEYS, JWT_SECRET } = generateSecrets()
const variables = {
  ...patientRedis,
  DATABASE_URL: url,
  REDIS_PREFIX: `test:${crypto.randomUUID()}:`,
  APP_KEYS,
  JWT_SECRET
}
const [here, there] = [await startApp(t, variables), await startApp(t, variables)]
const admin = await administrator(here)
const tasks = { path: '/api/v1/tasks', method: 'POST' }
const tea = { message: 'Tea' }
const limit = async (tier: string, limit: number) =>
  (await admin.as.post(`/tiers/${tier}/rate-limits`, { ...tasks, limit, period: 3600 })).json().data.id as string

/** How long after `from` the other process lets a call pass. */
async function msUntilPassed(call: () => Promise<{ statusCode: number }>, from: number): Promise<number> {
  while ((await call()).statusCode === 429 && performance.now() - from < 5000) await delay(20)
  return performance.now() - from
}

t.test('L02: calls in two services are counted together', async (t) => {
  const user = await person(here)
  const elsewhere = caller(there, user.headers)
  await limit('free', 4)
  const answers = await Promise.all(
    Array.from({ length: 40 }, (_, n) => (n % 2 ? user.as : elsewhere).post('/tasks', tea))
  )
  t.equal(answers.filter(({ statusCode }) => statusCode === 201).length, 4)
})

t.test('a rule edit and a change of tier act within a second in another process', async (t) => {
  const user = await person(here)
  const elsewhere = caller(there, user.headers)
  const call = () => elsewhere.post('/tasks', tea)
  while ((await call()).statusCode === 201);

  const id = (await admin.as.get('/tiers/free/rate-limits')).json().data[0].id
  await admin.as.patch(`/tiers/free/rate-limits/${id}`, { limit: 5 })
  const editMs = await msUntilPassed(call, performance.now())
  t.comment(`a rule edit acted after ${Math.round(editMs)} ms`)
  t.ok(editMs <= 1000)

  await limit('pro', 10)
  while ((await call()).statusCode === 201);
  await admin.as.patch(`/users/${user.id}/tier`, { tier: 'pro' })
  const tierMs = await msUntilPassed(call, performance.now())
  t.comment(`a change of tier acted after ${Math.round(tierMs)} ms`)
  t.ok(tierMs <= 1000)
})
