import t from 'tap'
import { mode } from '../support/mode.ts'
import { prepared, services, startServer } from '../support/server.ts'

const json = { 'content-type': 'application/json' }

t.test('the whole story works, SIGTERM exits with 0, and a restart finds everything', async (t) => {
  // In an empty folder: a genuine first start.
  const env = await services(t)
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
  const [env, folder] = await prepared(t)
  const server = await startServer(t, { ...env, ...slow }, folder)
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

if (mode === 'embedded') {
  t.test('a killed server has kept every todo that it acknowledged', async (t) => {
    const first = await startServer(t, ...(await prepared(t)))
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
}

/** Whether a request besides the one that asks is being handled. */
async function isBusy(url: string): Promise<boolean> {
  const figures = await (await fetch(`${url}/metrics`)).text()
  return Number(/^http_requests_in_flight (\d+)$/m.exec(figures)?.[1]) > 1
}
