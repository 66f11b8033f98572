import { statSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { mode, redisUrl } from '../support/app.ts'
import { emptyDatabase, testDatabase } from '../support/database.ts'
import { freePort, preparedFolder, spawnServer, startServer, temporaryFolder } from '../support/server.ts'

const json = { 'content-type': 'application/json' }

async function variables(t: Parameters<typeof testDatabase>[0]): Promise<Record<string, string>> {
  if (mode === 'embedded') return {}
  const { url = '' } = await testDatabase(t, mode)
  return { DATABASE_URL: url, REDIS_URL: redisUrl, REDIS_PREFIX: `test:${crypto.randomUUID()}:` }
}

t.test('the whole story works, SIGTERM exits with 0, and a restart finds everything', async (t) => {
  const env = await variables(t)
  const first = await startServer(t, env)
  const call = async (url: string, path: string, init: RequestInit = {}) => {
    const response = await fetch(`${url}/api/v1${path}`, init)
    const body = await response.text()
    return { status: response.status, body: body === '' ? null : JSON.parse(body) }
  }
  const post = (url: string, path: string, body: object, headers = {}) =>
    call(url, path, { method: 'POST', headers: { ...json, ...headers }, body: JSON.stringify(body) })
  const account = { email: 'story@example.com', username: 'story', password: 'Correct-horse-1' }

  t.equal((await post(first.url, '/auth/register', account)).status, 201)
  const login = await post(first.url, '/auth/login', {
    identifier: 'story',
    password: account.password,
    delivery: 'body'
  })
  const bearer = { authorization: `Bearer ${login.body.data.access_token}` }
  const todo = await post(first.url, '/todos', { title: 'Survive' }, bearer)
  t.equal(todo.status, 201)
  const refreshed = await post(first.url, '/auth/refresh', { refresh_token: login.body.data.refresh_token })
  t.equal(refreshed.status, 200)

  first.child.kill('SIGTERM')
  t.equal(await first.exited, 0, first.output())
  const second = await startServer(t, env, first.folder)

  const renewed = { authorization: `Bearer ${refreshed.body.data.access_token}` }
  t.equal((await call(second.url, `/todos/${todo.body.data.id}`, { headers: renewed })).body.data.title, 'Survive')
  t.equal((await call(second.url, '/auth/logout', { method: 'POST', headers: renewed })).status, 204)
  t.equal((await call(second.url, '/todos', { headers: renewed })).status, 401)
  t.equal((await call(second.url, '/todos', { headers: bearer })).status, 401, 'the older token of the session too')
})

t.test('SIGTERM lets a request in flight finish on its kept connection, then exits with 0 at once', async (t) => {
  // A slow hash keeps the request in flight.
  const slow = { ARGON2_MEMORY_KIB: '262144', ARGON2_TIME_COST: '3', UV_THREADPOOL_SIZE: '4' }
  const server = await startServer(t, { ...(await variables(t)), ...slow }, await folderFor(t))
  const account = { email: 'late@example.com', username: 'late', password: 'Correct-horse-1' }
  const inFlight = fetch(`${server.url}/api/v1/auth/register`, {
    method: 'POST',
    headers: json,
    body: JSON.stringify(account)
  })
  while (!(await isBusy(server.url)));

  const stoppedAt = performance.now()
  server.child.kill('SIGTERM')

  t.equal((await inFlight).status, 201)
  t.equal(await server.exited, 0, server.output())
  t.ok(performance.now() - stoppedAt < 8000, 'long before the grace of 20 s ends')
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
  const first = await startServer(t, await variables(t), await folderFor(t))
  const second = spawnServer(t, { ...(await variables(t)), PORT: new URL(first.url).port }, await folderFor(t))
  t.equal(await second.exited, 1)
  t.match(second.output(), /port is in use/)
})

if (mode === 'embedded') {
  t.test('a second process on the same data is refused, and the first goes on', async (t) => {
    const first = await startServer(t, {}, await preparedFolder(t))
    const second = spawnServer(t, { PORT: String(await freePort()) }, first.folder)
    t.equal(await second.exited, 1)
    t.match(second.output(), /in use by process \d+/)
    t.equal((await fetch(`${first.url}/health/ready`)).status, 200)
    t.equal(statSync(join(first.folder, '.data')).mode & 0o777, 0o700)
  })

  t.test('demo users sign in on embedded storage, and the banner shows them', async (t) => {
    const server = await startServer(t, {}, await preparedFolder(t))
    t.match(server.output(), /demo@example\.com +User-demo-1/)
    const body = JSON.stringify({ identifier: 'demo', password: 'User-demo-1' })
    const login = await fetch(`${server.url}/api/v1/auth/login`, { method: 'POST', headers: json, body })
    t.equal(login.status, 200)
  })

  t.test('a killed server has kept every todo that it acknowledged', async (t) => {
    const first = await startServer(t, {}, await preparedFolder(t))
    const login = await fetch(`${first.url}/api/v1/auth/login`, {
      method: 'POST',
      headers: json,
      body: JSON.stringify({ identifier: 'demo', password: 'User-demo-1' })
    })
    const { data } = (await login.json()) as { data: { access_token: string } }
    const headers = { ...json, authorization: `Bearer ${data.access_token}` }
    const acknowledged: string[] = []
    const writing = (async () => {
      for (let i = 0; ; i++) {
        const body = JSON.stringify({ title: `Todo ${i}` })
        const answer = await fetch(`${first.url}/api/v1/todos`, { method: 'POST', headers, body })
        if (answer.status === 201) acknowledged.push(`Todo ${i}`)
        if (acknowledged.length === 30) first.child.kill('SIGKILL')
      }
    })().catch(() => undefined)
    await Promise.all([writing, first.exited])

    const second = await startServer(t, {}, first.folder)
    const list = await fetch(`${second.url}/api/v1/todos?items_per_page=100`, { headers })
    const titles = ((await list.json()) as { data: Array<{ title: string }> }).data.map(({ title }) => title)
    t.ok(acknowledged.length >= 30)
    t.same(
      acknowledged.filter((title) => !titles.includes(title)),
      []
    )
  })
} else {
  t.test('P22: a real database gets no demo users by omission', async (t) => {
    const server = await startServer(t, await variables(t))
    t.notMatch(server.output(), /User-demo-1/)
    const body = JSON.stringify({ identifier: 'demo', password: 'User-demo-1' })
    const login = await fetch(`${server.url}/api/v1/auth/login`, { method: 'POST', headers: json, body })
    t.equal(login.status, 401)
  })

  t.test('Redis absent at start: the service starts and readiness says degraded', async (t) => {
    const server = await startServer(t, { ...(await variables(t)), REDIS_URL: `redis://127.0.0.1:${await freePort()}` })
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

/** Whether a request besides the one that asks is being handled. */
async function isBusy(url: string): Promise<boolean> {
  const figures = await (await fetch(`${url}/metrics`)).text()
  return Number(/^http_requests_in_flight (\d+)$/m.exec(figures)?.[1]) > 1
}

/** Only the story above needs a genuine first start. */
const folderFor = (t: Parameters<typeof temporaryFolder>[0]) =>
  mode === 'embedded' ? preparedFolder(t) : temporaryFolder(t)
