import { sql } from 'kysely'
import t from 'tap'
import { signIn, signUp, startApp } from '../support/app.ts'
import { administrator, caller, keyOf, person, roleWith } from '../support/people.ts'

const app = await startApp(t)
const admin = await administrator(app)
const rowOf = (id: string) => app.db.selectFrom('users').selectAll().where('public_id', '=', id).executeTakeFirst()
const signInStatus = async ({ email, password }: { email: string; password: string }) => {
  const payload = { identifier: email, password }
  return (await app.inject({ method: 'POST', url: '/api/v1/auth/login', payload })).statusCode
}

t.test('A12 a deleted user is out at once, their names are free, and restoring brings them back', async (t) => {
  const user = await signUp(app)
  const as = caller(app, user.headers)
  t.equal((await as.get('/users/me')).statusCode, 200)
  const path = `/users/${user.id}`
  t.equal((await admin.as.delete(`/users/${user.id.toUpperCase()}`)).statusCode, 204)

  t.equal((await as.get('/users/me')).statusCode, 401)
  t.equal((await as.post('/auth/refresh', { refresh_token: user.refreshToken })).statusCode, 401)
  t.equal(await signInStatus(user), 401)
  for (const answer of [
    admin.as.get(path),
    admin.as.patch(path, { name: 'x' }),
    admin.as.delete(path),
    admin.as.get(`${path}/sessions`)
  ]) {
    t.equal((await answer).statusCode, 404, 'Z10')
  }

  const namesake = await admin.as.post('/users', {
    email: user.email,
    username: user.username,
    password: 'Other-secret-1'
  })
  t.equal(namesake.statusCode, 201)
  t.equal((await admin.as.post(`${path}/restore`)).statusCode, 409)
  t.equal((await admin.as.delete(`/users/${namesake.json().data.id}?hard=true`)).statusCode, 204)
  t.match((await admin.as.post(`${path}/restore`)).json().data, { id: user.id, email: user.email, roles: ['user'] })
  t.equal((await admin.as.post(`${path}/restore`)).statusCode, 404)
  t.equal(await signInStatus(user), 200)
})

t.test(
  'A13 the keys of a deactivated user are refused until they are active again; those of a deleted one for ever',
  async (t) => {
    const user = await person(app)
    const path = `/users/${user.id}`
    const key = await keyOf(app, user, ['read:user:me'])
    const status = async (headers: Record<string, string>) => (await caller(app, headers).get('/users/me')).statusCode
    const both = async () => [await status(key.headers), await status(user.headers)]
    t.same(await both(), [200, 200])

    await admin.as.patch(path, { is_active: false })
    t.same(await both(), [401, 401])
    await admin.as.patch(path, { is_active: true })
    t.same(await both(), [200, 401], 'a key is no session: its owner need not sign in')

    const { headers } = await signIn(app, user)
    const renewed = await caller(app, headers).post(`/api-keys/${key.id}/rotate`, {})
    t.equal(renewed.statusCode, 200)
    for (const remove of [
      () => admin.as.delete(path),
      () => admin.as.post('/users/batch-delete', { ids: [user.id] })
    ]) {
      const another = await keyOf(app, user, ['read:user:me'])
      const again = await signIn(app, user)
      await remove()
      t.equal((await admin.as.post(`${path}/restore`)).statusCode, 200)
      const credentials = [
        ...[key.headers, { 'x-api-key': renewed.json().data.api_key }, another.headers],
        ...[user.headers, headers, again.headers]
      ]
      t.same(await Promise.all(credentials.map(status)), Array(6).fill(401))
      t.equal((await caller(app, {}).post('/auth/refresh', { refresh_token: again.refreshToken })).statusCode, 401)
    }
    t.same((await caller(app, (await signIn(app, user)).headers).get('/api-keys')).json().data, [])
  }
)

t.test('a key or a session that is made at the moment of a deletion does not outlive it', async (t) => {
  for (let round = 0; round < 5; round++) {
    const user = await signUp(app)
    const as = caller(app, user.headers)
    const login = { identifier: user.email, password: user.password, delivery: 'body' }
    const made = [() => as.post('/api-keys', {}), () => as.post('/auth/login', login)]
    const all = [...made, () => admin.as.delete(`/users/${user.id}`), ...made]
    const answers = await Promise.all(all.map((send) => send()))
    t.equal((await admin.as.post(`/users/${user.id}/restore`)).statusCode, 200)
    for (const answer of answers) {
      const { api_key, access_token } = answer.body === '' ? {} : (answer.json().data ?? {})
      if (api_key) t.equal((await caller(app, { 'x-api-key': api_key }).get('/users/me')).statusCode, 401)
      if (access_token) {
        t.equal((await caller(app, { authorization: `Bearer ${access_token}` }).get('/users/me')).statusCode, 401)
      }
    }
  }
})

t.test('people delete their own account', async (t) => {
  const user = await signUp(app)
  const as = caller(app, user.headers)
  t.equal((await as.delete('/users/me')).statusCode, 204)
  t.equal((await as.get('/users/me')).statusCode, 401)
  t.ok((await rowOf(user.id))?.deleted_at)
  t.equal((await signUp(app, user.username)).username, user.username, 'the names are free')
})

t.test('a hard deletion leaves of the user their id in the audit log, and nothing else', async (t) => {
  const removals: Array<(id: string) => Promise<unknown>> = [
    (id) => admin.as.delete(`/users/${id}?hard=true`),
    (id) => admin.as.post('/users/batch-delete?hard=true', { ids: [id] }),
    async (id) => [await admin.as.delete(`/users/${id}`), await admin.as.delete(`/users/${id}?hard=true`)]
  ]
  for (const remove of removals) {
    const user = await signUp(app)
    const { user_id } = await settle(user)
    const owned = await hanging(user_id)
    const expected = ['api_keys', 'items', 'posts', 'sessions', 'tasks', 'todos', 'user_roles']
    t.same(
      expected.filter((table) => !owned.some((name) => name.startsWith(`${table}.`))),
      [],
      'there was one of each'
    )
    t.ok((await mentioning(user.id)).includes('idempotency_keys'))

    await remove(user.id)
    t.equal((await caller(app, user.headers).get('/users/me')).statusCode, 401)
    t.equal(await rowOf(user.id), undefined)
    t.same(await hanging(user_id), [])
    t.same(
      (await mentioning(user.id)).filter((table) => table !== 'changes'),
      ['audit_events']
    )
    for (const text of [user.email, user.username, 'Hers alone']) t.same(await mentioning(text), [], text)
  }

  /** One of everything that a user can have, with an answer that is kept for a retry. */
  async function settle({ id, email, username, headers }: Awaited<ReturnType<typeof signUp>>) {
    const as = caller(app, headers)
    const title = 'Hers alone'
    const once = { ...headers, 'idempotency-key': crypto.randomUUID() }
    const made = [
      await caller(app, once).post('/todos', { title }),
      await as.post(`/users/${username}/posts`, { title, text: title }),
      await as.post('/items', { title }),
      await as.post('/tasks', { message: title }),
      await as.post('/api-keys', { name: 'backup' }),
      await admin.as.post(`/users/${id}/roles`, { role_id: (await roleWith(app, [])).id })
    ]
    t.same(
      made.map(({ statusCode }) => statusCode),
      Array(made.length).fill(201)
    )
    await as.patch('/users/me', { name: title })
    await signInStatus({ email, password: 'Wrong-horse-1' })
    return app.db.selectFrom('users').select('id as user_id').where('public_id', '=', id).executeTakeFirstOrThrow()
  }

  /** Columns anywhere that hold the user's key: by a foreign key, or by their name. */
  async function hanging(userId: number): Promise<string[]> {
    const { rows } = await sql<{ table: string; column: string }>`
      select conrelid::regclass::text as table, attname as column
      from pg_constraint join pg_attribute on attrelid = conrelid and attnum = any(conkey)
      where contype = 'f' and confrelid = 'users'::regclass
      union select table_name, column_name from information_schema.columns
      where table_schema = current_schema() and data_type = 'bigint' and column_name in ('user_id', 'owner_id')
      order by 1, 2`.execute(app.db)
    const found: string[] = []
    for (const { table, column } of rows) {
      const held = sql`select from ${sql.table(table)} where ${sql.ref(column)} = ${userId} limit 1`
      if ((await held.execute(app.db)).rows.length > 0) found.push(`${table}.${column}`)
    }
    return found
  }

  /** Tables with a row that has the text in it. Those of the jobs aside, which forget what is done after a week. */
  async function mentioning(text: string): Promise<string[]> {
    const { rows } = await sql<{ name: string }>`
        select table_name as name from information_schema.tables
        where table_type = 'BASE TABLE' and table_schema = current_schema() order by 1`.execute(app.db)
    const found: string[] = []
    for (const { name } of rows) {
      const told = sql`select from ${sql.table(name)} as t where strpos(t::text, ${text}) > 0 limit 1`
      if ((await told.execute(app.db)).rows.length > 0) found.push(name)
    }
    return found
  }
})
