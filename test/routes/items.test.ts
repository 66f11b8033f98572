import t from 'tap'
import { signUp, startApp } from '../support/app.ts'

// Lists of everybody's items are counted: nobody else's may be among them.
const app = await startApp(t, {})
const ada = await signUp(app, 'ada')
const eve = await signUp(app, 'eve')

type Person = { headers: Record<string, string> } | null
const post = (path: string, who: Person, payload?: object) =>
  app.inject({ method: 'POST', url: `/api/v1/items${path}`, headers: who?.headers ?? {}, ...(payload && { payload }) })
const get = async (path: string, who: Person = null) => {
  const answer = await app.inject({ url: `/api/v1/items${path}`, headers: who?.headers ?? {} })
  return { code: answer.statusCode, ...answer.json() }
}
const titlesOf = ({ data }: { data: { title: string }[] }) => data.map(({ title }) => title)
async function create(title: string, fields: object = { status: 'active' }, who: Person = ada): Promise<string> {
  const answer = await post('', who, { title, ...fields })
  t.equal(answer.statusCode, 201, answer.body)
  return answer.json().data.id
}

t.test('a draft is its owner’s alone until it is activated; whoever signed in learns whose it is', async (t) => {
  const created = await post('', ada, { title: 'Lamp' })
  const { data } = created.json()
  t.match(data, { title: 'Lamp', description: null, status: 'draft', is_owner: true })
  t.equal(created.headers.location, `/api/v1/items/${data.id}`)
  const path = `/${data.id}`

  t.match(await get(path, ada), { code: 200, data: { status: 'draft', is_owner: true } })
  t.equal((await get(path, eve)).code, 404)
  t.equal((await get(path)).code, 404)
  t.match(await get(path, { headers: { authorization: 'Bearer nonsense' } }), { code: 404 }, 'a bad token is anonymous')
  for (const list of ['', '?status=archived', '?limit=10', '/search?q=Lamp']) {
    t.same((await get(list, ada)).data, [], `not in ${list || 'the list'}, even for its owner`)
  }
  t.same(titlesOf(await get('/mine?status=draft', ada)), ['Lamp'])
  t.same((await get('/mine', eve)).data, [])

  t.match((await post(`${path}/activate`, ada)).json().data, { status: 'active', is_owner: true })
  t.match(await get(path, eve), { code: 200, data: { is_owner: false } })
  const anonymous = await get(path)
  t.same(Object.keys(anonymous.data), ['id', 'title', 'description', 'status', 'created_at', 'updated_at'])
  t.same((await get('', ada)).data[0].is_owner, true)
  t.same((await get('?limit=5', eve)).data[0].is_owner, false)
  t.notOk('is_owner' in (await get('/search?q=lamp')).data[0])
})

t.test('the status moves along its verbs only, and only for the owner', async (t) => {
  const id = await create('Chair', {})
  t.equal((await post(`/${id}/archive`, ada)).statusCode, 409, 'a draft is not archived')
  t.equal((await post(`/${id}/activate`, eve)).statusCode, 404)
  t.equal((await post(`/${id}/activate`, null)).statusCode, 401)
  t.equal((await post(`/${id}/activate`, ada)).statusCode, 200)
  t.match((await post(`/${id}/activate`, ada)).json(), {
    code: 409,
    message: 'Only what is draft or archived can be made active'
  })
  t.match((await post(`/${id}/archive`, ada)).json().data, { status: 'archived' })
  t.same(titlesOf(await get('?status=archived')), ['Chair'])
  t.equal((await post(`/${id}/activate`, ada)).statusCode, 200, 'and back')
  const update = (payload: object, who = ada) =>
    app.inject({ method: 'PATCH', url: `/api/v1/items/${id}`, headers: who.headers, payload })
  t.equal((await update({ status: 'draft' })).statusCode, 422, 'PATCH leaves it alone')
  t.equal((await update({ title: 'Mine' }, eve)).statusCode, 404)
  t.match((await update({ title: 'Stool' })).json().data, { title: 'Stool', status: 'active', is_owner: true })
  const remove = (who = ada) => app.inject({ method: 'DELETE', url: `/api/v1/items/${id}`, headers: who.headers })
  t.equal((await remove(eve)).statusCode, 404)
  t.equal((await remove()).statusCode, 204)
  t.same(await app.db.selectFrom('items').select('id').where('public_id', '=', id).execute(), [], 'gone for good')
})

t.test('the list comes in pages and by cursor, sorted as asked for', async (t) => {
  await app.db.deleteFrom('items').execute()
  for (const title of ['b', 'd', 'a', 'c', 'e']) await create(title)
  await create('hidden', {})

  const all = async (sort: string) => titlesOf(await get(`?sort=${sort}`)).join('')
  t.equal(await all('-created_at'), 'ecadb')
  t.equal(await all('created_at'), 'bdace')
  t.equal(await all('title'), 'abcde')
  t.equal(await all('-title'), 'edcba')
  const page = await get('?page=2&items_per_page=2')
  t.match(page, { total_count: 5, is_total_exact: true, has_more: true, page: 2, items_per_page: 2 })
  t.equal(titlesOf(page).join(''), 'ad')
  t.notOk('next_cursor' in page)
  t.match(await get('?page=1000000'), { code: 200, data: [], total_count: 5 })

  for (const sort of ['-created_at', 'created_at', 'title', '-title']) {
    let walked = ''
    let cursor = ''
    do {
      const part = await get(`?sort=${sort}&limit=2${cursor && `&cursor=${cursor}`}`)
      t.equal(part.has_more, part.next_cursor !== null)
      t.notOk('total_count' in part)
      walked += titlesOf(part).join('')
      cursor = part.next_cursor ?? ''
    } while (cursor)
    t.equal(walked, await all(sort), sort)
  }
})

t.test('a cursor of another list, order or filter, a forged one and mixed modes are 422', async (t) => {
  const { next_cursor } = await get('?limit=1')
  t.equal((await get(`?cursor=${next_cursor}`)).code, 200)
  t.equal((await get('?limit=1&page=1')).error_code, 'PAGE_WITH_CURSOR')
  for (const query of [
    `?cursor=${next_cursor}&sort=title`,
    `?cursor=${next_cursor}&status=archived`,
    `?cursor=${next_cursor}x`,
    '?cursor=abc',
    '?cursor=',
    `?cursor=${'a'.repeat(1025)}`,
    `?cursor=${next_cursor}&page=1`,
    '?limit=1&items_per_page=1',
    '?limit=0',
    '?limit=101',
    '?sort=owner_id',
    '?status=draft'
  ]) {
    t.match(await get(query), { code: 422, status: 'error' }, query.slice(0, 60))
  }
})

t.test('V13: a search finds text anywhere, with wildcards literal, and needs three characters', async (t) => {
  await app.db.deleteFrom('items').execute()
  for (const title of ['100% cotton', '100x cotton', 'snake_case', 'snakeXcase', 'back\\slash', 'Ärmel', 'a+b=c'])
    await create(title)
  await create('plain', { status: 'active', description: 'made of Cotton' })
  const found = async (q: string) => titlesOf(await get(`/search?q=${encodeURIComponent(q)}`)).sort()

  t.same(await found('COTTON'), ['100% cotton', '100x cotton', 'plain'])
  t.same(await found('100%'), ['100% cotton'])
  t.same(await found('ake_'), ['snake_case'])
  t.same(await found('k\\s'), ['back\\slash'])
  t.same(await found('ärm'), ['Ärmel'])
  t.same(await found('%%%'), [])
  t.same(await found('___'), [])
  t.same(await found('e_c'), ['snake_case'], 'too little for the index, found all the same')
  t.same(await found('+b='), ['a+b=c'])
  t.same(await found('absent'), [])
  t.match(await get('/search?q=cotton&items_per_page=2&page=2'), {
    total_count: 3,
    has_more: false,
    data: { length: 1 }
  })
  for (const q of ['', 'ab', 'x'.repeat(101), '%'.repeat(10_000)]) {
    t.ok([414, 422].includes((await get(`/search?q=${encodeURIComponent(q)}`)).code), `${q.length} characters`)
  }
  t.equal((await get('/search')).code, 422)
})
