import type { InjectOptions } from 'fastify'
import t from 'tap'
import { signUp, startApp } from '../support/app.ts'
import { administrator } from '../support/people.ts'

const app = await startApp(t)
const ada = await signUp(app)
const eve = await signUp(app)
const posts = `/api/v1/users/${ada.username}/posts`

const send = (
  method: 'POST' | 'PATCH' | 'DELETE',
  url: string,
  headers: InjectOptions['headers'] = {},
  body?: object
) => app.inject({ method, url, headers, ...(body && { payload: body }) })
const publish = async (body: object = {}) => {
  const answer = await send('POST', posts, ada.headers, { title: 'Engines', text: 'On numbers', ...body })
  t.equal(answer.statusCode, 201, answer.body)
  return answer.json().data as { id: string }
}

t.test('a post is published, read by anybody, changed and deleted by its author', async (t) => {
  const body = { title: 'Notes', text: 'On the engine', media_url: 'https://example.com/a.png' }
  const created = await send('POST', `/api/v1/users/${ada.username.toUpperCase()}/posts`, ada.headers, body)
  const { data } = created.json()
  t.match(created.json(), { status: 'success', message: 'Post created successfully', data: body })
  t.same(Object.keys(data), ['id', 'title', 'text', 'media_url', 'created_at', 'updated_at'])
  t.equal(created.headers.location, `${posts}/${data.id}`)
  const url = `${posts}/${data.id}`

  t.same((await app.inject(url)).json().data, data, 'without signing in')
  t.same((await app.inject(posts)).json().data, [data])
  t.match((await send('PATCH', url, ada.headers, { media_url: null })).json().data, {
    ...body,
    media_url: null
  })
  t.equal((await send('DELETE', url, ada.headers)).statusCode, 204)
  t.equal((await send('DELETE', url, ada.headers)).statusCode, 404)
  t.equal((await app.inject(url)).statusCode, 404)
  t.match((await app.inject(posts)).json(), { data: [], total_count: 0 })
  const row = await app.db.selectFrom('posts').selectAll().where('public_id', '=', data.id).executeTakeFirstOrThrow()
  t.ok(row.deleted_at, 'kept as a deleted row')
})

t.test('nobody writes under another’s name, nor another’s post under their own', async (t) => {
  const { id } = await publish()
  const body = { title: 'Mine now', text: 'Really' }
  for (const [method, url, payload] of [
    ['POST', posts, body],
    ['PATCH', `${posts}/${id}`, body],
    ['DELETE', `${posts}/${id}`, undefined]
  ] as const) {
    t.equal((await send(method, url, eve.headers, payload)).statusCode, 403, `${method} under ada’s name`)
    t.equal((await send(method, url, {}, payload)).statusCode, 401, `${method} anonymous`)
  }
  const own = `/api/v1/users/${eve.username}/posts/${id}`
  t.equal((await send('PATCH', own, eve.headers, body)).statusCode, 404, 'ada’s post is not among eve’s')
  t.equal((await send('DELETE', own, eve.headers)).statusCode, 404)
  t.equal((await app.inject(own)).statusCode, 404)
  t.match((await app.inject(`${posts}/${id}`)).json().data, { title: 'Engines', text: 'On numbers' }, 'untouched')
})

t.test('only who may delete everybody’s posts removes one for good, a deleted one too', async (t) => {
  const { id } = await publish()
  const url = `${posts}/${id}?hard=true`
  const refused = await send('DELETE', url, ada.headers)
  t.equal(refused.statusCode, 403)
  t.same(refused.json().missing, ['delete:post:all'])

  const admin = await administrator(app)
  t.equal((await send('DELETE', `${posts}/${id}`, ada.headers)).statusCode, 204)
  t.equal((await send('DELETE', url, admin.headers)).statusCode, 204)
  t.equal((await send('DELETE', url, admin.headers)).statusCode, 404)
  t.same(await app.db.selectFrom('posts').select('id').where('public_id', '=', id).execute(), [])
})

t.test('lengths are as documented, and an unknown author is 404', async (t) => {
  const longest = 'x'.repeat(63_206)
  await publish({ title: 'ab', text: longest })
  await publish({ title: 'x'.repeat(30) })
  const refused = [
    { title: 'a' },
    { title: 'x'.repeat(31) },
    { text: '' },
    { text: `${longest}x` },
    { media_url: 'ftp://example.com/a' },
    { media_url: 'javascript:alert(1)' },
    { owner_id: 1 },
    { id: '00000000-0000-4000-8000-000000000000' }
  ]
  for (const wrong of refused) {
    const answer = await send('POST', posts, ada.headers, { title: 'Fine', text: 'Fine', ...wrong })
    t.equal(answer.statusCode, 422, JSON.stringify(wrong).slice(0, 60))
  }
  for (const username of ['nobody', '%00x', 'a@b', '%20']) {
    t.match((await app.inject(`/api/v1/users/${username}/posts`)).statusCode, /^4(00|04|22)$/, username)
  }
})
