import t from 'tap'
import { signUp, startApp } from '../support/app.ts'

const app = await startApp(t, { REFRESH_REUSE_GRACE_SECONDS: '0', TRUST_PROXY: 'loopback' })
const from = { 'user-agent': 'tests/1', 'x-forwarded-for': '203.0.113.7' }
const post = (url: string, payload: object, headers = {}) =>
  app.inject({ method: 'POST', url: `/api/v1${url}`, payload, headers: { ...from, ...headers } })

/** The events of requests with this id, the oldest first. */
const eventsOf = (answer: { headers: Record<string, unknown> }) =>
  app.db
    .selectFrom('audit_events')
    .selectAll()
    .where('request_id', '=', String(answer.headers['x-request-id']))
    .orderBy('id')
    .execute()

const event = (action: string, actor_id: string | null, target_type: string, target_id: string | RegExp) => ({
  ...{ action, actor_id, target_type, target_id, count: 1, created_at: /T[\d:.]+Z$/ },
  ...{ ip: '203.0.113.7', user_agent: 'tests/1' }
})

t.test(
  'O07: registering, signing in and out are recorded with actor, ip, user agent, request id and UTC',
  async (t) => {
    const account = { email: 'o07@example.com', username: 'o07', password: 'Correct-horse-1' }
    const registered = await post('/auth/register', account)
    const { id } = registered.json().data
    t.match(await eventsOf(registered), [event('user.created', id, 'user', id)])

    const credentials = { identifier: 'o07', password: account.password, delivery: 'body' }
    const signedIn = await post('/auth/login', credentials)
    t.match(await eventsOf(signedIn), [event('sign_in.succeeded', id, 'session', /^[\da-f-]{36}$/)])

    const { refresh_token } = signedIn.json().data
    const signedOut = await post('/auth/logout', { refresh_token })
    const session = (await eventsOf(signedIn))[0]?.target_id ?? ''
    t.match(await eventsOf(signedOut), [event('sign_out', id, 'session', session)])
    t.same(await eventsOf(await post('/auth/logout', { refresh_token })), [], 'signing out again ends nothing')
  }
)

t.test('O07: failed sign-ins are counted by account, and names of no account are not kept', async (t) => {
  const { id, username } = await signUp(app)
  const login = (identifier: string) => post('/auth/login', { identifier, password: 'wrong-password' })

  const known = await login(username)
  await login(`${username}@example.com`)
  const unknown = await login('my-secret-passphrase')

  t.equal(known.statusCode, 401)
  const [first] = await eventsOf(known)
  t.match(first, { ...event('sign_in.failed', null, 'user', id), count: 2 })
  const rows = await eventsOf(unknown)
  t.match(rows, [event('sign_in.failed', null, 'identifier', /^[\w-]{22}$/)])
  t.notMatch(JSON.stringify(rows), /passphrase/)
})

t.test('O07: a reused refresh token is recorded although the request is refused', async (t) => {
  const { id, refreshToken } = await signUp(app)
  await post('/auth/refresh', { refresh_token: refreshToken })

  const reused = await post('/auth/refresh', { refresh_token: refreshToken })

  t.match([reused.statusCode, reused.json().error_code], [401, 'REFRESH_TOKEN_REUSED'])
  t.match(await eventsOf(reused), [event('session.reused', id, 'session', /^[\da-f-]{36}$/)])
})

t.test('O07: what a caller changes is recorded, what is refused is not', async (t) => {
  const { id, headers } = await signUp(app)
  const call = (method: 'PATCH' | 'DELETE', url: string, payload?: object) =>
    app.inject({ method, url: `/api/v1${url}`, headers: { ...from, ...headers }, ...(payload && { payload }) })

  const renamed = await call('PATCH', '/users/me', { name: 'Ada' })
  t.match(await eventsOf(renamed), [event('user.updated', id, 'user', id)])

  const created = await post('/todos', { title: 'Buy milk' }, headers)
  const todo = created.json().data.id
  t.match(await eventsOf(created), [event('todo.created', id, 'todo', todo)])
  t.match(await eventsOf(await call('PATCH', `/todos/${todo}`, { completed: true })), [
    event('todo.updated', id, 'todo', todo)
  ])
  t.match(await eventsOf(await call('DELETE', `/todos/${todo}`)), [event('todo.deleted', id, 'todo', todo)])

  const refused = await call('DELETE', `/todos/${todo}`)
  t.equal(refused.statusCode, 404)
  t.same(await eventsOf(refused), [])
})
