import t from 'tap'
import { signUp, startApp } from '../support/app.ts'

const app = await startApp(t)

t.test('a todo is created, read, changed and deleted', async (t) => {
  const { headers } = await signUp(app)

  const created = await app.inject({ method: 'POST', url: '/api/v1/todos', headers, payload: { title: 'Milk' } })
  t.equal(created.statusCode, 201)
  const { data } = created.json()
  t.match(created.json(), {
    status: 'success',
    message: 'Todo created successfully',
    data: { title: 'Milk', description: null, completed: false }
  })
  t.match(data.id, /^[\da-f-]{36}$/)
  t.match(data.created_at, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
  t.equal(created.headers.location, `/api/v1/todos/${data.id}`)
  const url = `/api/v1/todos/${data.id}`

  t.same((await app.inject({ url, headers })).json().data, data)

  const patched = await app.inject({ method: 'PATCH', url, headers, payload: { completed: true, description: 'Oat' } })
  t.match(patched.json().data, { title: 'Milk', description: 'Oat', completed: true })
  const cleared = await app.inject({ method: 'PATCH', url, headers, payload: { description: null } })
  t.match(cleared.json().data, { title: 'Milk', description: null, completed: true })

  t.equal((await app.inject({ method: 'DELETE', url, headers })).statusCode, 204)
  t.equal((await app.inject({ method: 'DELETE', url, headers })).statusCode, 404)
  t.equal((await app.inject({ url, headers })).statusCode, 404)
  const row = await app.db.selectFrom('todos').selectAll().where('public_id', '=', data.id).executeTakeFirstOrThrow()
  t.ok(row.deleted_at, 'kept as a deleted row')
  t.equal(row.row_version, 4, 'each update raised the version')
})

t.test('lists are paged, newest first, and a far page is empty', async (t) => {
  const { headers } = await signUp(app)
  for (let i = 1; i <= 12; i++) {
    await app.inject({ method: 'POST', url: '/api/v1/todos', headers, payload: { title: `Todo ${i}` } })
  }
  const list = async (query: string) => (await app.inject({ url: `/api/v1/todos${query}`, headers })).json()

  const first = await list('')
  t.match(first, { status: 'success', total_count: 12, has_more: true, page: 1, items_per_page: 10 })
  t.equal(first.data.length, 10)
  t.equal(first.data[0].title, 'Todo 12')
  t.match(await list('?page=2'), { has_more: false, page: 2, data: [{ title: 'Todo 2' }, { title: 'Todo 1' }] })
  t.match(await list('?page=4&items_per_page=3'), { has_more: false, data: { length: 3 } })
  t.match(await list('?page=100000'), { data: [], total_count: 12, has_more: false })
  for (const bad of [
    '?page=0',
    '?items_per_page=101',
    '?page=x',
    '?page=1&page=2',
    '?unknown=1',
    '?page=99999999999999999999'
  ]) {
    t.equal((await app.inject({ url: `/api/v1/todos${bad}`, headers })).statusCode, 422, bad)
  }
})

t.test('lists are filtered by state and searched in title and description, wildcards literal', async (t) => {
  const { headers } = await signUp(app)
  for (const payload of [
    { title: 'Buy 100% juice', completed: true },
    { title: 'Call Ada', description: 'about the snake_case report' },
    { title: 'Back\\slash' }
  ]) {
    await app.inject({ method: 'POST', url: '/api/v1/todos', headers, payload })
  }
  const found = async (query: Record<string, string>) => {
    const { data, total_count } = (await app.inject({ url: '/api/v1/todos', query, headers })).json()
    t.equal(data.length, total_count)
    return data.map(({ title }: { title: string }) => title)
  }
  t.same(await found({ completed: 'true' }), ['Buy 100% juice'])
  t.same(await found({ completed: 'false' }), ['Back\\slash', 'Call Ada'])
  t.same(await found({ q: 'ADA' }), ['Call Ada'])
  t.same(await found({ q: 'snake_' }), ['Call Ada'], 'in the description too')
  t.same(await found({ q: '%' }), ['Buy 100% juice'])
  t.same(await found({ q: '_' }), ['Call Ada'])
  t.same(await found({ q: '\\' }), ['Back\\slash'])
  t.same(await found({ q: 'a', completed: 'true' }), [])
  for (const query of [{ q: '' }, { q: 'x'.repeat(101) }, { completed: 'maybe' }]) {
    t.equal((await app.inject({ url: '/api/v1/todos', query, headers })).statusCode, 422, JSON.stringify(query))
  }
})

t.test('todos of others answer like absent ones, and stay as they are', async (t) => {
  const owner = await signUp(app)
  const other = await signUp(app)
  const created = await app.inject({
    method: 'POST',
    url: '/api/v1/todos',
    headers: owner.headers,
    payload: { title: 'Mine' }
  })
  const url = `/api/v1/todos/${created.json().data.id}`
  const absent = '/api/v1/todos/00000000-0000-4000-8000-000000000000'

  for (const method of ['GET', 'PATCH', 'DELETE'] as const) {
    const payload = method === 'PATCH' ? { payload: { title: 'Yours' } } : {}
    const theirs = await app.inject({ method, url, headers: other.headers, ...payload })
    const missing = await app.inject({ method, url: absent, headers: other.headers, ...payload })
    const stable = (answer: typeof theirs) => ({ ...answer.json(), request_id: '' })
    t.equal(theirs.statusCode, 404, method)
    t.same(stable(theirs), stable(missing))
    t.equal((await app.inject({ method, url, ...payload })).statusCode, 401, `${method} anonymous`)
  }
  t.equal((await app.inject({ url, headers: owner.headers })).json().data.title, 'Mine')
  t.same((await app.inject({ url: '/api/v1/todos', headers: other.headers })).json().data, [])
})
