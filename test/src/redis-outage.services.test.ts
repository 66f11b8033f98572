import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { startApp } from '../support/app.ts'
import { startRedis } from '../support/own-redis.ts'
import { person } from '../support/people.ts'

t.test('a request makes several calls to Redis, and waits for one deadline when it freezes', async (t) => {
  const deadlineMs = 300
  const own = await startRedis(t)
  const app = await startApp(t, { REDIS_URL: own.url, REDIS_COMMAND_TIMEOUT_MS: String(deadlineMs) })
  const { as } = await person(app)
  const todo = (await as.post('/todos', { title: 'Milk' })).json().data
  const requests = {
    read: () => as.get(`/todos/${todo.id}`),
    write: () => as.patch(`/todos/${todo.id}`, { title: 'Bread' }),
    create: () => as.post('/todos', { title: 'Butter' })
  }
  for (const [name, send] of Object.entries(requests)) {
    t.equal(app.redisGuard.state, 'closed')
    own.freeze()
    const startedAt = performance.now()
    const { statusCode } = await send()
    const ms = performance.now() - startedAt
    t.ok(statusCode < 300, `${name}: ${statusCode}`)
    t.ok(ms >= deadlineMs && ms < 1.9 * deadlineMs, `${name}: ${Math.round(ms)} ms`)
    own.thaw()
    // As soon as it answers again, whether or not the breaker has opened by then.
    await sleep(deadlineMs)
    while (app.redisGuard.state === 'open') await sleep(20)
  }
})
