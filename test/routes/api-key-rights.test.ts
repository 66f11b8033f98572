import { sql } from 'kysely'
import t from 'tap'
import { signUp, startApp } from '../support/app.ts'
import { apiKeyCalls, me, withKey } from './api-key-calls.ts'

const app = await startApp(t)
const { call, keys, createKey } = apiKeyCalls(app)

t.test('K05: what the token lacks the key does not add', async (t) => {
  const admin = await signUp(app)
  await grantAdmin(admin.id)
  const { key } = await createKey(admin.headers, { scopes: ['read:audit_event:all'] })
  const { headers } = await signUp(app)
  const events = '/api/v1/audit-events'

  t.equal((await call('GET', events, withKey(key))).statusCode, 200)
  t.match((await call('GET', events, { ...headers, ...withKey(key) })).json().missing, ['read:audit_event:all'])
})

t.test('Z07: a key cannot exceed its owner, when it is made and when it is used', async (t) => {
  const { id, headers } = await signUp(app)
  const wanted = await keys('POST', '', headers, { scopes: ['read:user:me', 'read:user:all', 'no:such:thing'] })
  t.match([wanted.statusCode, wanted.json().missing], [403, ['read:user:all', 'no:such:thing']])
  t.same((await keys('GET', '', headers)).json().data, [])

  const role = await grantAdmin(id)
  const { key } = await createKey(headers, { scopes: ['read:audit_event:all'] })
  const events = async () => (await call('GET', '/api/v1/audit-events', withKey(key))).statusCode
  t.equal(await events(), 200)
  t.equal((await call('GET', me, withKey(key))).statusCode, 403, 'an administrator’s key has its scopes alone')
  await role.takeBack()
  t.equal(await events(), 403, 'what the owner lost the key has lost')
})

t.test('Z07: a program keeps the things of its owner, as far as its scopes go, and nobody else’s', async (t) => {
  const [ada, bob] = [await signUp(app), await signUp(app)]
  const theirs = (await call('POST', '/api/v1/todos', bob.headers, { title: 'Theirs' })).json().data.id
  const scopes = ['create:todo:me', 'read:todo:me', 'create:post:me', 'create:item:me', 'read:item:me']
  const as = withKey((await createKey(ada.headers, { scopes })).key)
  const todo = await call('POST', '/api/v1/todos', as, { title: 'Mine' })
  t.equal(todo.statusCode, 201, todo.body)
  const mine = todo.headers.location ?? ''
  t.same((await call('GET', mine, ada.headers)).json().data, todo.json().data, 'its owner has it')
  t.match((await call('GET', '/api/v1/todos', as)).json(), { total_count: 1, data: [{ title: 'Mine' }] })
  t.equal((await call('GET', `/api/v1/todos/${theirs}`, as)).statusCode, 404)
  t.match((await call('PATCH', mine, as, { title: 'No' })).json().missing, ['update:todo:me'])
  t.match((await call('DELETE', mine, as)).json().missing, ['delete:todo:me'])

  const post = { title: 'Mine', text: 'Read me' }
  t.equal((await call('POST', `/api/v1/users/${ada.username}/posts`, as, post)).statusCode, 201)
  t.equal((await call('POST', `/api/v1/users/${bob.username}/posts`, as, post)).statusCode, 403)
  t.equal((await call('POST', '/api/v1/items', as, { title: 'Mine' })).statusCode, 201)
  t.match((await call('GET', '/api/v1/items/mine', as)).json().data, [{ title: 'Mine', status: 'draft' }])
})

t.test('Z07: a key makes, renews, changes and lists no keys, changes no password and ends no session', async (t) => {
  const { headers, password } = await signUp(app)
  const { key, id } = await createKey(headers, {})
  const as = withKey(key)
  const attempts = [
    await keys('POST', '', as, {}),
    await keys('GET', '', as),
    await keys('GET', `/${id}`, as),
    await keys('PATCH', `/${id}`, as, { name: 'x' }),
    await keys('POST', `/${id}/rotate`, as, {}),
    await keys('DELETE', `/${id}`, as),
    await call('POST', `${me}/change-password`, as, { current_password: password, new_password: 'Another-horse-1' }),
    await call('GET', '/api/v1/auth/sessions', as),
    await call('POST', '/api/v1/auth/logout-all', as)
  ]
  t.same(
    attempts.map(({ statusCode }) => statusCode),
    Array(9).fill(401)
  )
  t.equal((await call('GET', me, as)).statusCode, 200)
  t.match((await keys('GET', '', headers)).json().data, [{ id, name: null }])
})

t.test('Z07: scopes can be narrowed and never widened, and act on the next request', async (t) => {
  const { headers } = await signUp(app)
  const { key, id } = await createKey(headers, { scopes: ['read:user:me', 'update:user:me'] })
  t.equal((await call('GET', me, withKey(key))).statusCode, 200)
  t.match((await keys('PATCH', `/${id}`, headers, { scopes: ['update:user:me'] })).json().data.scopes, [
    'update:user:me'
  ])
  t.match((await call('GET', me, withKey(key))).json().missing, ['read:user:me'])
  const wider = await keys('PATCH', `/${id}`, headers, { scopes: ['update:user:me', 'read:user:me'] })
  t.match([wider.statusCode, wider.json().error_code], [422, 'SCOPES_NOT_NARROWER'])
})

t.test('Z08: nobody makes a key for somebody else', async (t) => {
  const [ada, bob] = [await signUp(app), await signUp(app)]
  for (const field of ['user_id', 'owner_id', 'id', 'is_active', 'expires_at', 'secret_hash']) {
    const answer = await keys('POST', '', bob.headers, { scopes: [], [field]: ada.id })
    t.match([answer.statusCode, answer.json().errors?.[0]?.field], [422, field])
  }
  for (const { headers } of [ada, bob]) t.same((await keys('GET', '', headers)).json().data, [])
})

t.test('Z02: the keys of others answer like absent ones', async (t) => {
  const [ada, bob] = [await signUp(app), await signUp(app)]
  const { id, key } = await createKey(ada.headers)
  const absent = crypto.randomUUID()
  const requests = [
    ['GET', ''],
    ['PATCH', '', { name: 'mine' }],
    ['POST', '/rotate', {}],
    ['DELETE', '']
  ] as const
  for (const [method, path, payload] of requests) {
    const theirs = await keys(method, `/${id}${path}`, bob.headers, payload)
    const none = await keys(method, `/${absent}${path}`, bob.headers, payload)
    const stable = (answer: typeof theirs) => ({ ...answer.json(), request_id: '' })
    t.equal(theirs.statusCode, 404, method)
    t.same(stable(theirs), stable(none))
  }
  t.match((await keys('GET', `/${id}`, ada.headers)).json().data, { name: null })
  t.equal((await call('GET', me, withKey(key))).statusCode, 200)
})

t.test('A13: the keys of an account that is disabled or deleted are dead', async (t) => {
  for (const change of [sql`is_active = false`, sql`deleted_at = now()`]) {
    const { id, headers } = await signUp(app)
    const { key } = await createKey(headers)
    t.equal((await call('GET', me, withKey(key))).statusCode, 200)
    await app.database.transaction(async (trx) => {
      await sql`update users set ${change} where public_id = ${id}`.execute(trx)
      await app.changes.record(trx, 'user', id)
    })
    t.equal((await call('GET', me, withKey(key))).statusCode, 401)
  }
})

t.test('closing an account revokes its keys for good', async (t) => {
  const { headers } = await signUp(app)
  const { key, id } = await createKey(headers)
  t.equal((await call('DELETE', me, headers)).statusCode, 204)
  t.equal((await call('GET', me, withKey(key))).statusCode, 401)
  const row = await app.db.selectFrom('api_keys').select('revoked_at').where('id', '=', id).executeTakeFirst()
  t.type(row?.revoked_at, 'string')
})

/** By hand, as the change of a role would be made. */
async function grantAdmin(id: string) {
  const change = (statement: ReturnType<typeof sql>) =>
    app.database.transaction(async (trx) => {
      await statement.execute(trx)
      await app.changes.record(trx, 'user', id)
    })
  await change(sql`
    insert into user_roles (user_id, role_id)
    select users.id, roles.id from users, roles where users.public_id = ${id} and roles.name = 'admin'`)
  const takeBack = () =>
    change(sql`
      delete from user_roles using users, roles
      where users.id = user_roles.user_id and users.public_id = ${id}
        and roles.id = user_roles.role_id and roles.name = 'admin'`)
  return { takeBack }
}
