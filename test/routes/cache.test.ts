import type { Transaction } from 'kysely'
import t from 'tap'
import type { Database } from '../../db/types.ts'
import { signUp, startApp } from '../support/app.ts'
import { administrator, person } from '../support/people.ts'

const app = await startApp(t)

async function author(count: number) {
  const user = await signUp(app)
  const url = `/api/v1/users/${user.username}/posts`
  const post = (title: string) =>
    app.inject({ method: 'POST', url, headers: user.headers, payload: { title, text: 'Text' } })
  const urls: string[] = []
  for (let i = 0; i < count; i++) urls.push((await post(`Post ${i}`)).headers.location ?? '')
  return { ...user, url, urls, post }
}
const ask = async (url: string, headers = {}) => {
  const answer = await app.inject({ url, headers })
  return { status: answer.statusCode, result: answer.headers['x-cache'], headers: answer.headers, body: answer.body }
}

t.test("the template's scenario: writing makes exactly that user's pages miss", async (t) => {
  const [ana, ben] = [await author(4), await author(4)]
  const pages = [ana, ben].flatMap(({ url }) => [1, 2, 3, 4].map((page) => `${url}?page=${page}&items_per_page=1`))
  const all = [...pages, ...ana.urls, ...ben.urls]
  const results = async () => Promise.all(all.map(async (url) => [url, (await ask(url)).result] as const))
  await results()
  for (const [url, result] of await results()) t.equal(result, 'HIT', url)

  const edited = ana.urls[2] ?? ''
  const payload = { title: 'Edited' }
  t.equal((await app.inject({ method: 'PATCH', url: edited, headers: ana.headers, payload })).statusCode, 200)
  for (const [url, result] of await results()) {
    t.equal(result, url.startsWith(`${ana.url}?`) || url === edited ? 'MISS' : 'HIT', url)
  }
  t.match((await ask(edited)).body, 'Edited')
  t.match((await ask(edited.toUpperCase().replace(/^.*\/POSTS/, `${ana.url}`))).body, 'Edited')

  await results()
  await ana.post('Another')
  t.equal((await ask(`${ana.url}?page=1&items_per_page=1`)).result, 'MISS')
  await app.inject({ method: 'DELETE', url: edited, headers: ana.headers })
  t.equal((await ask(edited)).status, 404)
  t.notMatch((await ask(`${ana.url}?page=1&items_per_page=100`)).body, 'Edited')
  t.equal((await ask(`${ben.url}?page=1&items_per_page=1`)).result, 'HIT')
  await results()
  const [last = ''] = ana.urls
  await app.inject({ method: 'DELETE', url: last, headers: ana.headers })
  t.equal((await ask(`${ana.url}?page=1&items_per_page=1`)).result, 'MISS', 'deleting makes the pages miss, too')
})

t.test('C03: whoever writes reads their write, however the name or id is spelt', async (t) => {
  const ana = await author(1)
  const [url = ''] = ana.urls
  const id = url.split('/').at(-1) ?? ''
  const spellings = [url, url.replace(id, id.toUpperCase()), url.replace(ana.username, ana.username.toUpperCase())]
  for (let round = 0; round < 3; round++) {
    for (const spelling of spellings) await ask(spelling)
    const payload = { title: `Round ${round}` }
    await app.inject({ method: 'PATCH', url: spellings[round] ?? '', headers: ana.headers, payload })
    for (const spelling of [
      ...spellings,
      ana.url,
      ana.url.toUpperCase().replace('/API/V1/USERS', '/api/v1/users').replace('/POSTS', '/posts')
    ]) {
      t.match((await ask(spelling)).body, `Round ${round}`, spelling)
    }
  }
})

t.test('C03: a name that is given up takes its posts with it, and its next bearer starts anew', async (t) => {
  const [ana, ben] = [await author(1), await author(1)]
  const rename = (headers: Record<string, string>, username: string) =>
    app.inject({ method: 'PATCH', url: '/api/v1/users/me', headers, payload: { username } })
  for (const url of [ana.url, ...ana.urls, ben.url, ...ben.urls]) await ask(url)
  t.equal((await rename(ana.headers, `${ana.username.slice(0, 8)}new`)).statusCode, 200)
  for (const url of [ana.url, ...ana.urls]) t.equal((await ask(url)).status, 404, url)
  t.equal((await app.inject({ method: 'DELETE', url: '/api/v1/users/me', headers: ben.headers })).statusCode, 204)
  for (const url of [ben.url, ...ben.urls]) t.equal((await ask(url)).status, 404, url)
  const heir = await signUp(app)
  t.equal((await rename(heir.headers, ana.username)).statusCode, 200)
  t.same(JSON.parse((await ask(ana.url)).body).data, [])
})

t.test('C07: posts answer 304 from the cache, C02: with max-age for browsers', async (t) => {
  const ana = await author(1)
  for (const url of [ana.url, ...ana.urls]) {
    const { headers } = await ask(url)
    t.equal(headers['cache-control'], 'public, max-age=60')
    const unmodified = await ask(url, { 'if-none-match': headers.etag })
    t.match(unmodified, { status: 304, result: 'HIT', body: '' })
  }
})

t.test('C01: items and todos are cached for each caller alone, C02: and never publicly', async (t) => {
  const [ana, ben] = [await signUp(app), await signUp(app)]
  const payload = { title: 'A thing' }
  const create = (url: string, headers: Record<string, string>) => app.inject({ method: 'POST', url, headers, payload })
  const item = (await create('/api/v1/items', ana.headers)).headers.location ?? ''
  const todo = (await create('/api/v1/todos', ana.headers)).headers.location ?? ''
  t.equal((await ask(item, ana.headers)).status, 200, 'a draft is there for its owner')
  t.equal((await ask(item, ana.headers)).result, 'HIT')
  t.equal((await ask(item, ben.headers)).status, 404)
  t.equal((await ask(item)).status, 404)
  await app.inject({ method: 'POST', url: `${item}/activate`, headers: ana.headers })
  for (const [headers, is_owner] of [
    [ana.headers, true],
    [ben.headers, false]
  ] as const) {
    for (const expected of ['MISS', 'HIT']) {
      const { result, body, headers: answered } = await ask(item, headers)
      t.equal(result, expected)
      t.equal(JSON.parse(body).data.is_owner, is_owner)
      t.equal(answered['cache-control'], 'private, no-store')
      t.match(answered.vary, /\bAuthorization, X-API-Key\b/)
    }
  }
  for (const url of [todo, '/api/v1/todos']) {
    t.equal((await ask(url, ana.headers)).status, 200)
    t.equal((await ask(url, ana.headers)).result, 'HIT')
    t.equal((await ask(url)).status, 401)
  }
  t.equal((await ask(todo, ben.headers)).status, 404)
  t.equal(JSON.parse((await ask('/api/v1/todos', ben.headers)).body).total_count, 0)
  await app.inject({ method: 'PATCH', url: todo, headers: ana.headers, payload: { title: 'Done' } })
  t.match((await ask(todo, ana.headers)).body, 'Done')
  t.match((await ask('/api/v1/todos', ana.headers)).body, 'Done')
  await app.inject({ method: 'POST', url: '/api/v1/auth/logout', headers: ana.headers })
  t.equal((await ask(todo, ana.headers)).status, 401, 'what is kept is for those who are still signed in')
})

t.test('C03: what becomes of an item, everybody reads at once, alone and in the list', async (t) => {
  const [ana, ben] = [await person(app), await person(app)]
  const title = `Thing ${crypto.randomUUID()}`
  const created = await ana.as.post('/items', { title, status: 'active' })
  const item = created.headers.location ?? ''
  const path = item.replace('/api/v1', '')
  const list = '/api/v1/items?items_per_page=100'
  const read = () => Promise.all([{}, ana.headers, ben.headers].flatMap((who) => [ask(item, who), ask(list, who)]))
  const expect = async (text: string | RegExp, isThere: boolean, what: string) => {
    for (const [at, { body, result }] of (await read()).entries()) {
      t.equal(result, 'MISS', `${what} ${at}`)
      t.equal(new RegExp(text).test(body), isThere, `${what} ${at}`)
    }
    t.ok((await read()).every(({ result, status }) => result === 'HIT' || status === 404))
  }
  await expect(title, true, 'created')
  await ana.as.patch(path, { description: 'More of it' })
  await expect('More of it', true, 'changed')
  await ana.as.post(`${path}/archive`)
  for (const { body } of await Promise.all([{}, ben.headers].map((who) => ask(list, who)))) t.notMatch(body, title)
  t.match((await ask(item)).body, '"archived"')
  await ana.as.post(`${path}/activate`)
  await expect('"active"', true, 'activated')
  await ana.as.delete(path)
  await expect(title, false, 'deleted')
})

t.test('C03: the list of todos has what was created, and not what was deleted', async (t) => {
  const ana = await person(app)
  const list = async () => (await ana.as.get('/todos')).json().data.map(({ title }: { title: string }) => title)
  t.same([await list(), await list()], [[], []])
  const url = (await ana.as.post('/todos', { title: 'Milk' })).headers.location ?? ''
  t.same([await list(), await list()], [['Milk'], ['Milk']])
  await ana.as.delete(url.replace('/api/v1', ''))
  t.same(await list(), [])
})

t.test('C03: posts go with a name that an administrator changes', async (t) => {
  const [admin, ana] = [await administrator(app), await author(1)]
  for (const url of [ana.url, ...ana.urls, ana.url, ...ana.urls]) t.equal((await ask(url)).status, 200)
  t.equal((await admin.as.patch(`/users/${ana.id}`, { username: `${ana.username.slice(0, 8)}adm` })).statusCode, 200)
  for (const url of [ana.url, ...ana.urls]) t.equal((await ask(url)).status, 404)
})

t.test('C03: items go with an account that is deleted for good', async (t) => {
  const admin = await administrator(app)
  const ways = [
    (id: string) => admin.as.delete(`/users/${id}?hard=true`),
    (id: string) => admin.as.post('/users/batch-delete?hard=true', { ids: [id] })
  ]
  for (const remove of ways) {
    const ana = await person(app)
    const title = `Thing ${crypto.randomUUID()}`
    const item = (await ana.as.post('/items', { title, status: 'active' })).headers.location ?? ''
    const list = '/api/v1/items?items_per_page=100'
    for (const url of [item, list, item, list]) t.match((await ask(url)).body, title)
    t.ok((await remove(ana.id)).statusCode < 300)
    t.equal((await ask(item)).status, 404)
    t.notMatch((await ask(list)).body, title)
  }
})

t.test('C01: another role is another reader, C07: and who may not read it any more gets no 304', async (t) => {
  const ana = await person(app)
  const url = (await ana.as.post('/todos', { title: 'Milk' })).headers.location ?? ''
  const change = (work: (trx: Transaction<Database>) => Promise<unknown>) =>
    app.database.transaction(async (trx) => {
      await work(trx)
      await app.changes.record(trx, 'user', ana.id)
    })
  await ask(url, ana.headers)
  const { result, headers } = await ask(url, ana.headers)
  t.equal(result, 'HIT')
  const { id } = await app.db.selectFrom('roles').select('id').where('name', '=', 'admin').executeTakeFirstOrThrow()
  await change((trx) => trx.insertInto('user_roles').values({ user_id: ana.user_id, role_id: id }).execute())
  t.equal((await ask(url, ana.headers)).result, 'MISS')
  await change((trx) => trx.deleteFrom('user_roles').where('user_id', '=', ana.user_id).execute())
  t.equal((await ask(url, { ...ana.headers, 'if-none-match': headers.etag })).status, 403)
})

t.test('administrators drop tags, nobody else', async (t) => {
  const ana = await author(1)
  await ask(ana.url)
  const drop = (headers: Record<string, string>) =>
    app.inject({
      method: 'POST',
      url: '/api/v1/cache/invalidations',
      headers,
      payload: { tags: [`user:${ana.username}:posts`] }
    })
  t.equal((await drop({})).statusCode, 401)
  t.equal((await drop(ana.headers)).statusCode, 403)
  t.equal((await ask(ana.url)).result, 'HIT')
  const admin = await administrator(app)
  t.equal((await drop(admin.headers)).statusCode, 204)
  t.equal((await ask(ana.url)).result, 'MISS')
})
