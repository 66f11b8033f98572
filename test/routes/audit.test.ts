import t from 'tap'
import { signUp, startApp } from '../support/app.ts'
import { administrator, caller, person } from '../support/people.ts'

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

t.test('O07: what was changed is recorded, old and new where it is small and no secret', async (t) => {
  const admin = await administrator(app)
  const as = caller(app, { ...admin.headers, ...from })
  const details = async (answer: Awaited<ReturnType<typeof as.post>>) => {
    if (answer.statusCode >= 300) throw new Error(answer.body)
    return (await eventsOf(answer)).map((row) => [row.action, row.details])
  }
  const created = (answer: Awaited<ReturnType<typeof as.post>>) =>
    String(answer.headers.location).slice('/api/v1'.length)

  const role = await as.post('/roles', { name: 'audited', description: 'x' })
  t.same(await details(role), [['role.created', { fields: ['name', 'description'], to: { name: 'audited' } }]])
  t.same(await details(await as.patch(created(role), { name: 'renamed', description: null, is_admin: false })), [
    ['role.updated', { fields: ['name', 'description'], from: { name: 'audited' }, to: { name: 'renamed' } }]
  ])
  t.same(await details(await as.patch(created(role), { is_active: false })), [
    ['role.updated', { fields: ['is_active'], from: { is_active: true }, to: { is_active: false } }]
  ])
  t.same(await details(await as.delete(created(role))), [['role.deleted', { name: 'renamed' }]])

  const permission = await as.post('/permissions', { code: 'test:audited:all' })
  t.same(await details(permission), [['permission.created', { fields: ['code'], to: { code: 'test:audited:all' } }]])
  t.same(await details(await as.patch(created(permission), { is_active: false, description: 'x' })), [
    [
      'permission.updated',
      {
        code: 'test:audited:all',
        fields: ['is_active', 'description'],
        from: { is_active: true },
        to: { is_active: false }
      }
    ]
  ])
  t.same(await details(await as.delete(created(permission))), [['permission.deleted', { code: 'test:audited:all' }]])

  const key = await as.post('/api-keys', { name: 'backup', scopes: ['read:user:me', 'update:user:me'] })
  t.match(await details(key), [
    ['api_key.created', { to: { name: 'backup', scopes: ['read:user:me', 'update:user:me'], expires_at: /Z$/ } }]
  ])
  t.same(await details(await as.patch(created(key), { scopes: ['read:user:me'], is_active: false, name: 'backup' })), [
    [
      'api_key.updated',
      {
        fields: ['scopes', 'is_active'],
        from: { scopes: ['read:user:me', 'update:user:me'], is_active: true },
        to: { scopes: ['read:user:me'], is_active: false }
      }
    ]
  ])
  t.match(await details(await as.post(`${created(key)}/rotate`, { overlap_seconds: 60 })), [
    ['api_key.rotated', { expires_at: /Z$/, overlap_seconds: 60 }]
  ])

  const tier = await as.post('/tiers', { name: 'audited' })
  t.same(await details(tier), [['tier.created', { fields: ['name'], to: { name: 'audited' } }]])
  const rule = await as.post(`${created(tier)}/rate-limits`, { path: '/api/v1/todos', limit: 1, period: 60 })
  t.match(await details(rule), [['rate_limit.created', { tier: 'audited', to: { path: '/api/v1/todos', limit: 1 } }]])
  t.same(await details(await as.patch(created(rule), { limit: 2, period: 60 })), [
    ['rate_limit.updated', { tier: 'audited', fields: ['limit'], from: { limit: 1 }, to: { limit: 2 } }]
  ])
  t.same(await details(await as.delete(created(rule))), [
    ['rate_limit.deleted', { tier: 'audited', path: '/api/v1/todos', method: null }]
  ])
  t.same(await details(await as.patch(created(tier), { name: 'rare' })), [
    ['tier.updated', { fields: ['name'], from: { name: 'audited' }, to: { name: 'rare' } }]
  ])
  t.same(await details(await as.delete('/tiers/rare')), [['tier.deleted', { name: 'rare' }]])

  const username = 'audited-user'
  const user = await as.post('/users', { username, email: 'audited@example.com', password: 'Correct-horse-1' })
  t.same(await details(user), [['user.created', { fields: ['username', 'email'], to: { username } }]])
  t.same(await details(await as.patch(created(user), { username: 'other-user', name: 'Ada', is_active: true })), [
    ['user.updated', { fields: ['username', 'name'], from: { username }, to: { username: 'other-user' } }]
  ])
  t.same(await details(await as.patch(`${created(user)}/tier`, { tier: 'pro' })), [
    ['tier.changed', { from: 'free', to: 'pro' }]
  ])
  t.same(await details(await as.patch('/users/me', { name: 'Ada' })), [['user.updated', { fields: ['name'] }]])
  const todo = await as.post('/todos', { title: 'Private' })
  t.same(await details(await as.patch(created(todo), { title: 'Secret' })), [['todo.updated', { fields: ['title'] }]])

  const all = await app.db.selectFrom('audit_events').selectAll().execute()
  t.notMatch(
    JSON.stringify(all),
    /audited@|Ada|Correct-horse|Secret|Private/,
    'no personal data, no content, no secret'
  )
})

t.test('O07 P19: wrong current passwords at a change are counted by account and minute', async (t) => {
  const user = await person(app)
  const as = caller(app, { ...user.headers, ...from })
  const change = (current_password: string) =>
    as.post('/users/me/change-password', { current_password, new_password: 'Correct-horse-1' })
  const [first, second] = [await change('wrong'), await change('wrong again')]
  t.same([first.statusCode, second.statusCode], [422, 422])
  t.match(await eventsOf(first), [{ ...event('password_change.failed', null, 'user', user.id), count: 2 }])
  t.same(await eventsOf(second), [])
  t.match(await eventsOf(await change(user.password)), [event('password.changed', user.id, 'user', user.id)])
})

t.test('administrators walk the events by cursor and filter them; nobody else sees any', async (t) => {
  const { id, headers } = await signUp(app)
  const list = (query: Record<string, string>, as = headers) =>
    app.inject({ url: '/api/v1/audit-events', query, headers: as })
  t.match((await list({})).json(), { code: 403, missing: ['read:audit_event:all'] })
  await makeAdmin(id)
  for (let i = 0; i < 5; i++) await post('/todos', { title: `todo ${i}` }, headers)

  const seen: string[] = []
  let cursor: string | null | undefined
  do {
    const part = (await list({ actor_id: id, limit: '2', ...(cursor && { cursor }) })).json()
    t.equal(part.has_more, part.next_cursor !== null)
    for (const { action } of part.data) seen.push(action)
    cursor = part.next_cursor
  } while (cursor)
  t.same(seen, [...Array(5).fill('todo.created'), 'sign_in.succeeded', 'user.created'])

  const [newest] = (await list({ actor_id: id, action: 'todo.created', limit: '1' })).json().data
  t.match(newest, { id: String, action: 'todo.created', actor_id: id, target_type: 'todo', details: null, count: 1 })
  t.notMatch(Object.keys(newest), ['public_id'])
  const { target_id, created_at } = newest
  t.same((await list({ target_type: 'todo', target_id })).json().data, [newest])
  t.equal((await list({ actor_id: id, from: created_at })).json().data.length, 1)
  t.equal((await list({ actor_id: id, to: created_at, limit: '100' })).json().data.length, 6)

  const { next_cursor } = (await list({ limit: '1' })).json()
  for (const query of [
    { cursor: `${next_cursor}x` },
    { cursor: 'k1.AAAA' },
    { cursor: next_cursor, actor_id: id },
    { cursor: '' },
    { limit: '101' },
    { limit: '0' },
    { actor_id: 'me' },
    { from: 'yesterday' },
    { sort: 'ip' }
  ]) {
    t.equal((await list(query)).statusCode, 422, JSON.stringify(query))
  }
})

/** By hand, as the change of a role would be made. */
const makeAdmin = (id: string) =>
  app.database.transaction(async (trx) => {
    await trx
      .insertInto('user_roles')
      .columns(['user_id', 'role_id'])
      .expression((eb) =>
        eb
          .selectFrom(['users', 'roles'])
          .select(['users.id as user_id', 'roles.id as role_id'])
          .where('users.public_id', '=', id)
          .where('roles.name', '=', 'admin')
      )
      .execute()
    await app.changes.record(trx, 'user', id)
  })
