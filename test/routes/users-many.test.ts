import t from 'tap'
import { startApp } from '../support/app.ts'
import { administrator, person, roleWith } from '../support/people.ts'

const app = await startApp(t, {})
await app.db.deleteFrom('users').execute()
const admin = await administrator(app)
const fresh = () => `n${crypto.randomUUID().slice(0, 12)}`
const account = (username = fresh()) => ({ username, email: `${username}@example.com`, password: `Of-${username}` })

interface Listed {
  id: string
  username: string
  email: string
}
const names = (answer: { json(): { data: Listed[] } }) => answer.json().data.map(({ username }) => username)

t.test('the list has pages, filters and orders, and refuses any other', async (t) => {
  const readers = await roleWith(app, ['read:user:all'])
  const people = [await person(app, [readers.name]), await person(app), await person(app), await person(app)]
  const [first, second, third, gone] = people
  await admin.as.patch(`/users/${second?.id}`, { is_active: false, is_verified: true })
  await admin.as.delete(`/users/${gone?.id}`)
  const list = (query: string) => admin.as.get(`/users${query}`)

  const page = await list('?items_per_page=2')
  t.match(page.json(), { total_count: 4, has_more: true, page: 1, items_per_page: 2 })
  t.same(names(page), [third?.username, second?.username], 'the newest first')
  t.same(Object.keys(page.json().data[0]).includes('roles'), false)
  t.notMatch(page.body, /hash|user_id|is_admin/)
  t.same(names(await list('?page=2&items_per_page=2')), [first?.username, admin.username])
  t.same((await list('?page=99')).json().data, [])

  for (const field of ['username', 'email'] as const) {
    const sorted = (await list(`?sort=${field}`)).json().data.map((user: Listed) => user[field])
    t.same(sorted, [...sorted].sort(), field)
    t.same(
      (await list(`?sort=-${field}`)).json().data.map((user: Listed) => user[field]),
      sorted.toReversed()
    )
  }
  t.same(names(await list('?is_active=false')), [second?.username])
  t.same(names(await list('?is_verified=true&is_active=false')), [second?.username])
  t.same(names(await list('?is_active=false&is_verified=false')), [])
  t.same(names(await list(`?role=${readers.name}`)), [first?.username])
  t.same(names(await list(`?email=${first?.email.toUpperCase()}`)), [first?.username])
  t.same(names(await list(`?username=${first?.username.toUpperCase()}`)), [first?.username])
  t.same(names(await list('?username=%40')), [])
  t.same(names(await list('?deleted=true')), [gone?.username])

  const { data } = (await list(`?include=roles,permissions&role=${readers.name}`)).json()
  t.match(data, [{ roles: [readers.name, 'user'].sort() }])
  t.ok(data[0].permissions.includes('read:user:all') && data[0].permissions.includes('read:user:me'))
  t.ok((await list('?include=roles')).json().data.every((user: object) => 'roles' in user && !('permissions' in user)))

  for (const bad of [
    ...['?sort=password_hash', '?sort=id', '?sort=username%20desc', '?include=password_hash', '?include=roles,roles'],
    ...['?password_hash=x', '?fields=password_hash', '?q=x', '?deleted=maybe', '?limit=101', '?limit=0', '?page=0']
  ]) {
    t.equal((await list(bad)).statusCode, 422, `Z11 ${bad}`)
  }
})

t.test('a walk by cursor meets everybody once, while others come and go', async (t) => {
  for (const sort of ['-created_at', 'username', '-email']) {
    const expected = names(await admin.as.get(`/users?sort=${sort}&items_per_page=100`))
    const met: string[] = []
    let cursor = ''
    for (let part = 0; part < 20; part++) {
      const answer = await admin.as.get(`/users?sort=${sort}&limit=2&include=roles${cursor && `&cursor=${cursor}`}`)
      t.equal(answer.statusCode, 200, answer.body)
      t.notOk('total_count' in answer.json())
      met.push(...names(answer))
      const { next_cursor, has_more } = answer.json()
      t.equal(has_more, next_cursor !== null)
      if (next_cursor === null) break
      cursor = next_cursor
      if (part === 0) await person(app)
    }
    t.same(
      met.filter((name) => expected.includes(name)),
      expected,
      sort
    )
    t.equal(new Set(met).size, met.length)
    for (const other of [`sort=${sort}&role=user`, 'sort=created_at', `sort=${sort}&deleted=true`]) {
      const answer = await admin.as.get(`/users?${other}&limit=2&include=roles&cursor=${cursor}`)
      t.match([answer.statusCode, answer.json().error_code], [422, 'INVALID_CURSOR'], 'the cursor is for one list')
    }
  }
})

t.test('a batch creates who can be created, and says of each other one why not', async (t) => {
  const [one, two, taken] = [account(), account(), account()]
  await admin.as.post('/users', taken)
  const users = [
    one,
    { ...account(), email: one.email.toUpperCase() },
    { ...account(), username: one.username.toUpperCase() },
    { ...account(), email: taken.email },
    { ...account(), password: 'short' },
    { ...account(), username: '-dash' },
    { ...two, name: 'Two' }
  ]
  const answer = await admin.as.post('/users/batch', { users })
  t.equal(answer.statusCode, 200, answer.body)
  t.match(answer.json().data, [
    { index: 0, code: 201, id: String },
    { index: 1, code: 409, id: null, error_code: 'REPEATED_IN_BATCH', field: 'email' },
    { index: 2, code: 409, id: null, error_code: 'REPEATED_IN_BATCH', field: 'username' },
    { index: 3, code: 409, id: null, error_code: 'DUPLICATE', field: 'email' },
    { index: 4, code: 422, id: null, error_code: 'VALIDATION_FAILED', field: 'password' },
    { index: 5, code: 422, id: null, field: 'username' },
    { index: 6, code: 201, id: String }
  ])
  t.notMatch(answer.body, /short|@/, 'nothing is echoed')
  const wanted = users.map(({ username }) => username.toLowerCase())
  const found = await app.db.selectFrom('users').select('username').where('username', 'in', wanted).execute()
  t.same(found.map(({ username }) => username).sort(), [one.username, two.username].sort())
  const [made] = answer.json().data
  t.match((await admin.as.get(`/users/${made.id}`)).json().data, { roles: ['user'] })

  for (const bad of [[], Array(101).fill(account()), [{ ...account(), role: 'admin' }]]) {
    t.equal((await admin.as.post('/users/batch', { users: bad })).statusCode, 422)
  }
})

t.test('100 users in one batch leave the other slots for hashing free', async (t) => {
  let most = 0
  const { hash } = app.passwords
  app.passwords.hash = async (plain) => {
    most += 1
    return hash(plain).finally(() => {
      most -= 1
      if (most > 0) t.fail('two hashes of one batch at once')
    })
  }
  t.teardown(() => {
    app.passwords.hash = hash
  })
  const answer = await admin.as.post('/users/batch', { users: Array.from({ length: 100 }, () => account()) })
  t.ok(answer.json().data.every(({ code }: { code: number }) => code === 201))
})

t.test('a batch changes and deletes each as it would have been alone', async (t) => {
  const [one, two] = [await person(app), await person(app)]
  const absent = '00000000-0000-4000-8000-000000000000'
  const changed = await admin.as.patch('/users/batch', {
    users: [
      { id: one.id, name: 'One', email: two.email },
      { id: one.id.toUpperCase(), name: 'Again' },
      { id: two.id.toUpperCase(), name: 'Two', is_active: false },
      { id: absent, name: 'Nobody' }
    ]
  })
  t.match(changed.json().data, [
    { index: 0, code: 409, error_code: 'DUPLICATE', field: 'email' },
    { index: 1, code: 409, error_code: 'REPEATED_IN_BATCH', field: 'id' },
    { index: 2, code: 200 },
    { index: 3, code: 404, error_code: 'NOT_FOUND' }
  ])
  t.match((await one.as.get('/users/me')).json().data, { name: null, email: one.email })
  t.equal((await two.as.get('/users/me')).statusCode, 401, 'A13')
  t.equal((await admin.as.patch('/users/batch', { users: [{ id: one.id }] })).statusCode, 422)

  const deleted = await admin.as.post('/users/batch-delete', { ids: [one.id.toUpperCase(), one.id, absent, two.id] })
  t.match(deleted.json().data, [
    { code: 204 },
    { code: 409, error_code: 'REPEATED_IN_BATCH' },
    { code: 404 },
    { code: 204 }
  ])
  t.equal((await one.as.get('/users/me')).statusCode, 401, 'A12')
  t.match((await admin.as.post('/users/batch-delete?hard=true', { ids: [two.id] })).json().data, [{ code: 204 }])
  const left = await app.db
    .selectFrom('users')
    .select('deleted_at')
    .where('public_id', 'in', [one.id, two.id])
    .execute()
  t.match(left, [{ deleted_at: String }])
  const events = await app.db.selectFrom('audit_events').select('action').where('target_id', '=', two.id).execute()
  t.same(
    events.map(({ action }) => action),
    ['user.updated', 'user.deleted', 'user.deleted']
  )
})

t.test('an item that its caller may not do says what is missing, as the 403 alone would', async (t) => {
  const editors = await roleWith(app, ['read:user:all', 'update:user:all'])
  const editor = await person(app, [editors.name])
  const alone = await editor.as.patch(`/users/${admin.id}`, { name: 'Taken' })
  const batch = await editor.as.patch('/users/batch', { users: [{ id: admin.id, name: 'Taken' }] })
  t.match(batch.json().data, [{ code: 403, error_code: 'PERMISSION_DENIED', missing: alone.json().missing }])
  t.match(alone.json().missing, [String])
})
