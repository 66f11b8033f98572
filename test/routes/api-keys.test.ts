import { setTimeout as delay } from 'node:timers/promises'
import { crc32 } from 'node:zlib'
import { sql } from 'kysely'
import t from 'tap'
import { inventKey } from '../plugins/api-keys/suite.ts'
import { signUp, startApp } from '../support/app.ts'

const app = await startApp(t)
const me = '/api/v1/users/me'

type Headers = Record<string, string>
const call = (method: 'GET' | 'POST' | 'PATCH' | 'DELETE', url: string, headers: Headers, payload?: object) =>
  app.inject({ method, url, headers, ...(payload && { payload }) })
const keys = (method: 'GET' | 'POST' | 'PATCH' | 'DELETE', path: string, headers: Headers, payload?: object) =>
  call(method, `/api/v1/api-keys${path}`, headers, payload)
const withKey = (key: string) => ({ 'x-api-key': key })

async function createKey(headers: Headers, payload: object = { scopes: ['read:user:me'] }) {
  const answer = await keys('POST', '', headers, payload)
  if (answer.statusCode !== 201) throw new Error(`create: ${answer.statusCode} ${answer.body}`)
  return { key: answer.json().data.api_key as string, id: answer.json().data.id as string }
}

t.test('K01: a key is in the answer that made it, and never again', async (t) => {
  const { id: owner, headers } = await signUp(app)
  const created = await keys('POST', '', headers, { name: 'backup', days: 7, scopes: ['read:user:me'] })

  t.equal(created.statusCode, 201)
  const { api_key, ...metadata } = created.json().data
  t.match(api_key, /^pl_[0-9a-f]{32}_[0-9a-f]{48}_[0-9a-f]{8}$/)
  t.match(metadata, { name: 'backup', scopes: ['read:user:me'], is_active: true, last_used_at: null })
  t.equal(created.headers['cache-control'], 'no-store')
  t.match((await call('GET', String(created.headers.location), headers)).json().data, metadata)
  const listed = await keys('GET', '', headers)
  t.same(listed.json().data, [metadata])
  t.notOk(listed.body.includes(api_key.slice(36, 84)))
  const events = await app.db.selectFrom('audit_events').selectAll().where('target_id', '=', metadata.id).execute()
  t.match(events, [
    { action: 'api_key.created', actor_id: owner, target_type: 'api_key', details: { to: { name: 'backup' } } }
  ])
  t.notOk(JSON.stringify(events).includes(api_key.slice(36, 84)))

  const answer = await call('GET', me, withKey(api_key))
  t.match([answer.statusCode, answer.json().data.id], [200, owner])
})

t.test('K02: another secret, another id, or a key of nobody is a 401 that tells nothing', async (t) => {
  const { headers } = await signUp(app)
  const { key } = await createKey(headers)
  const other = await createKey(headers)
  const body = `${key.slice(0, 36)}${other.key.slice(36, 84)}`
  const crossed = `${body}_${crc32(body).toString(16).padStart(8, '0')}`

  for (const wrong of [crossed, key.slice(0, -1), `${key}x`, `${key}, ${key}`, 'pl_', '', ' ']) {
    const answer = await call('GET', me, withKey(wrong))
    t.match([answer.statusCode, answer.json().error_code], [401, 'API_KEY_INVALID'], wrong)
    t.match(answer.headers['www-authenticate'], /^Bearer realm="[^"]+"$/)
  }
  t.equal((await call('GET', me, withKey(key))).statusCode, 200)
})

t.test('K03: a key that was revoked, made inactive or has expired is dead on the next request', async (t) => {
  const { headers } = await signUp(app)
  const use = async (key: string) => (await call('GET', me, withKey(key))).statusCode
  const [one, two, three] = [await createKey(headers), await createKey(headers), await createKey(headers)]
  for (const { key } of [one, two, three]) t.equal(await use(key), 200)

  t.equal((await keys('DELETE', `/${one.id}`, headers)).statusCode, 204)
  t.equal(await use(one.key), 401)
  t.equal((await keys('DELETE', `/${one.id}`, headers)).statusCode, 404)
  t.match((await keys('GET', '', headers)).json().data.length, 2)

  t.equal((await keys('PATCH', `/${two.id}`, headers, { is_active: false })).statusCode, 200)
  t.equal(await use(two.key), 401)
  await keys('PATCH', `/${two.id}`, headers, { is_active: true, name: null })
  t.equal(await use(two.key), 200)

  await app.database.transaction(async (trx) => {
    await sql`update api_keys set expires_at = now() where id = ${three.id}`.execute(trx)
    await app.changes.record(trx, 'api_key', three.id)
  })
  t.equal(await use(three.key), 401)
})

t.test('K05: the access token comes first, the key second, and never both together', async (t) => {
  const [ada, bob] = [await signUp(app), await signUp(app)]
  const { key } = await createKey(ada.headers)
  const bearer = (token: string) => ({ authorization: `Bearer ${token}`, ...withKey(key) })

  t.equal((await call('GET', me, bearer(bob.accessToken))).json().data.id, bob.id, 'a good token')
  for (const bad of ['x', `${bob.accessToken}x`, '']) {
    t.equal((await call('GET', me, bearer(bad))).json().data.id, ada.id, 'a bad one')
  }
  await call('POST', '/api/v1/auth/logout', bob.headers)
  t.equal((await call('GET', me, bearer(bob.accessToken))).json().data.id, ada.id, 'one whose session has ended')

  const bad = await app.inject({ url: me, headers: { authorization: 'Bearer x', 'x-api-key': 'pl_nothing' } })
  t.match([bad.statusCode, bad.headers['www-authenticate']], [401, /error="invalid_token"/])
})

t.test('K05: what the token lacks the key does not add', async (t) => {
  const admin = await signUp(app)
  await grantAdmin(admin.id)
  const { key } = await createKey(admin.headers, { scopes: ['read:audit_event:all'] })
  const { headers } = await signUp(app)
  const events = '/api/v1/audit-events'

  t.equal((await call('GET', events, withKey(key))).statusCode, 200)
  t.match((await call('GET', events, { ...headers, ...withKey(key) })).json().missing, ['read:audit_event:all'])
})

t.test('K06: a key in the query string, a cookie, the body or another header is not looked at', async (t) => {
  const { headers } = await signUp(app)
  const { key } = await createKey(headers)
  for (const name of ['api_key', 'x-api-key', 'X-API-Key', 'key']) {
    const answer = await call('GET', `${me}?${name}=${key}`, {})
    t.match([answer.statusCode, answer.json().error_code], [401, 'UNAUTHORIZED'], name)
  }
  for (const other of [
    { cookie: `x-api-key=${key}` },
    { 'api-key': key },
    { authorization: `ApiKey ${key}` },
    { authorization: `Bearer ${key}` }
  ]) {
    t.equal((await call('GET', me, other)).statusCode, 401)
  }
})

t.test('K07: requests with a key do not write, and the last use follows', async (t) => {
  const { headers } = await signUp(app)
  const { key, id } = await createKey(headers)
  for (let times = 0; times < 20; times++) await call('GET', me, withKey(key))
  const lastUsed = async () => (await keys('GET', `/${id}`, headers)).json().data.last_used_at
  const deadline = Date.now() + 10_000
  while ((await lastUsed()) === null && Date.now() < deadline) await delay(50)
  const first = await lastUsed()
  t.ok(Math.abs(Date.parse(first) - Date.now()) < 60_000)

  const writes = async () => {
    const { rows } = await sql<{ xmin: string }>`select xmin::text from api_keys where id = ${id}`.execute(app.db)
    return rows[0]?.xmin
  }
  const before = await writes()
  for (let times = 0; times < 20; times++) await call('GET', me, withKey(key))
  t.equal(await writes(), before)
})

t.test('K08: a rotated key is good until the cut-off, and only the new one after it', async (t) => {
  const { headers } = await signUp(app)
  const { key, id } = await createKey(headers)
  const use = async (one: string) => (await call('GET', me, withKey(one))).statusCode
  t.equal(await use(key), 200)

  const rotated = await keys('POST', `/${id}/rotate`, headers, {})
  t.match([rotated.statusCode, rotated.json().data.id], [200, id])
  t.equal(rotated.headers['cache-control'], 'no-store')
  const next = rotated.json().data.api_key
  t.same([await use(key), await use(next)], [200, 200])

  await app.database.transaction(async (trx) => {
    await sql`update api_keys set previous_until = now() where id = ${id}`.execute(trx)
    await app.changes.record(trx, 'api_key', id)
  })
  t.same([await use(key), await use(next)], [401, 200])

  const last = (await keys('POST', `/${id}/rotate`, headers, { overlap_seconds: 0 })).json().data.api_key
  t.same([await use(next), await use(last)], [401, 200], 'no overlap')
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

t.test('an id in upper case names the same key to everything that remembers it', async (t) => {
  const { headers } = await signUp(app)
  const { key, id } = await createKey(headers)
  const use = async (text: string) => (await call('GET', me, withKey(text))).statusCode
  t.equal(await use(key), 200)
  const upper = `/${id.toUpperCase()}`
  const rotated = (await keys('POST', `${upper}/rotate`, headers, { overlap_seconds: 0 })).json().data.api_key
  t.same([await use(key), await use(rotated)], [401, 200])
  t.equal((await keys('PATCH', upper, headers, { is_active: false })).statusCode, 200)
  t.equal(await use(rotated), 401)
  const event = app.db.selectFrom('audit_events').select('action').where('target_id', '=', id).orderBy('id')
  t.same(
    (await event.execute()).map(({ action }) => action),
    ['api_key.created', 'api_key.rotated', 'api_key.updated']
  )
})

t.test('closing an account revokes its keys for good', async (t) => {
  const { headers } = await signUp(app)
  const { key, id } = await createKey(headers)
  t.equal((await call('DELETE', me, headers)).statusCode, 204)
  t.equal((await call('GET', me, withKey(key))).statusCode, 401)
  const row = await app.db.selectFrom('api_keys').select('revoked_at').where('id', '=', id).executeTakeFirst()
  t.type(row?.revoked_at, 'string')
})

t.test('K04 P11: guessing keys locks a client out; good, revoked and mistyped keys do not', async (t) => {
  const strict = await startApp(t, { MAX_FAILED_ATTEMPTS: '3' })
  const { headers } = await signUp(strict)
  const make = async () =>
    (await strict.inject({ method: 'POST', url: '/api/v1/api-keys', headers, payload: {} })).json().data
  const [good, revoked] = [await make(), await make()]
  await strict.inject({ method: 'DELETE', url: `/api/v1/api-keys/${revoked.id}`, headers })
  const use = (key: string, more: Headers = {}) => strict.inject({ url: me, headers: { ...withKey(key), ...more } })
  const forged = { authorization: `Bearer ${headers.authorization.slice(7, -4)}AAAA` }

  for (let times = 0; times < 5; times++) {
    t.equal((await use(revoked.api_key)).statusCode, 401)
    t.equal((await use(good.api_key.slice(0, -1))).statusCode, 401)
    t.equal((await use(good.api_key, forged)).statusCode, 200, 'another credential let it in')
  }
  for (let times = 0; times < 3; times++) t.equal((await use(inventKey())).statusCode, 401)
  const locked = await use(inventKey())
  t.match([locked.statusCode, locked.json().error_code], [429, 'LOCKED_OUT'])
  t.match(locked.headers['retry-after'], /^\d+$/)
  t.equal((await use(good.api_key)).statusCode, 200, 'valid credentials pass')
})

t.test('what is malformed is refused by field', async (t) => {
  const { headers } = await signUp(app)
  const { id } = await createKey(headers)
  for (const payload of [
    { days: 0 },
    { days: 366 },
    { days: '7' },
    { scopes: ['a', 'a'] },
    { name: '' },
    { scopes: 'a' }
  ]) {
    t.equal((await keys('POST', '', headers, payload)).statusCode, 422, JSON.stringify(payload))
  }
  t.equal((await keys('PATCH', `/${id}`, headers, {})).statusCode, 422)
  t.equal((await keys('POST', `/${id}/rotate`, headers, { overlap_seconds: 604_801 })).statusCode, 422)
  t.equal((await keys('GET', '/not-an-id', headers)).statusCode, 422)
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
