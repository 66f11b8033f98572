import { statSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { emptyDatabase } from '../support/database.ts'
import { mode } from '../support/mode.ts'
import { freePort, prepared, services, spawnServer, startServer } from '../support/server.ts'

const running = await startServer(t, ...(await prepared(t)))

const signInAsDemo = () =>
  fetch(`${running.url}/api/v1/auth/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ identifier: 'demo', password: 'User-demo-1' })
  })

t.test('a bad environment names every fault and exits with 1', async (t) => {
  const server = spawnServer(t, { PORT: 'many', LOG_LEVEL: 'loud', JWT_SECRET: 'hunter2' })
  t.equal(await server.exited, 1)
  t.match(server.output(), /PORT.*LOG_LEVEL.*JWT_SECRET/s)
  t.notMatch(server.output(), /hunter2| at .*\.ts:/)
})

t.test('P22: production with nothing else refuses to start', async (t) => {
  const server = spawnServer(t, { ENVIRONMENT: 'production' })
  t.equal(await server.exited, 1)
  t.match(server.output(), /DATABASE_URL.*JWT_SECRET.*APP_KEYS/s)
})

t.test('an unreachable database is one clear message and exit 1', async (t) => {
  const port = await freePort()
  const server = spawnServer(t, { DATABASE_URL: `postgres://app:hunter2@127.0.0.1:${port}/app` })
  t.equal(await server.exited, 1)
  t.match(server.output(), /Could not start/)
  t.notMatch(server.output(), /hunter2| {4}at /)
})

t.test('a port in use is one clear message and exit 1', async (t) => {
  const [env, folder] = await prepared(t)
  const second = spawnServer(t, { ...env, PORT: new URL(running.url).port }, folder)
  t.equal(await second.exited, 1)
  t.match(second.output(), /port is in use/)
})

if (mode === 'embedded') {
  t.test('a second process on the same data is refused, and the first goes on', async (t) => {
    const second = spawnServer(t, { PORT: String(await freePort()) }, running.folder)
    t.equal(await second.exited, 1)
    t.match(second.output(), /in use by process \d+/)
    t.equal((await fetch(`${running.url}/health/ready`)).status, 200)
    t.equal(statSync(join(running.folder, '.data')).mode & 0o777, 0o700)
  })

  t.test('demo users sign in on embedded storage, and the banner shows them', async (t) => {
    t.match(running.output(), /demo@example\.com +User-demo-1/)
    t.equal((await signInAsDemo()).status, 200)
  })
} else {
  t.test('P22: a real database gets no demo users by omission', async (t) => {
    t.notMatch(running.output(), /User-demo-1/)
    t.equal((await signInAsDemo()).status, 401)
  })

  t.test('Redis absent at start: the service starts and readiness says degraded', async (t) => {
    const server = await startServer(t, { ...(await services(t)), REDIS_URL: `redis://127.0.0.1:${await freePort()}` })
    const ready = await fetch(`${server.url}/health/ready`)
    t.equal(ready.status, 200)
    t.match(await ready.json(), { status: 'degraded', checks: { database: 'ok', redis: 'unavailable' } })
  })

  t.test('a database without the migrations refuses the start and names the command', async (t) => {
    const server = spawnServer(t, { DATABASE_URL: await emptyDatabase(t) })
    t.equal(await server.exited, 1)
    t.match(server.output(), /npm run migrate -- up/)
  })

  t.test('two starters with MIGRATE_ON_START on one empty database both come up', async (t) => {
    const env = { DATABASE_URL: await emptyDatabase(t), MIGRATE_ON_START: 'true' }
    const servers = await Promise.all([startServer(t, env), startServer(t, env)])
    for (const { url } of servers) t.equal((await fetch(`${url}/health/ready`)).status, 200)
  })
}
