import t from 'tap'
import { signUp, startApp } from '../support/app.ts'
import { mode } from '../support/mode.ts'

const app = await startApp(t)

const create = (headers: Record<string, string>, key: string, title = 'Milk') =>
  app.inject({
    method: 'POST',
    url: '/api/v1/todos',
    headers: { ...headers, 'idempotency-key': `"${key}"` },
    payload: { title }
  })
const countTodos = async (headers: Record<string, string>) =>
  (await app.inject({ url: '/api/v1/todos', headers })).json().total_count

t.test('I01: 50 parallel creates with one key make one todo, everyone gets 201 or 409', async (t) => {
  const { headers } = await signUp(app)
  const answers = await Promise.all(Array.from({ length: 50 }, () => create(headers, 'parallel')))
  const created = answers.filter(({ statusCode }) => statusCode === 201)
  const refused = answers.filter(({ statusCode }) => statusCode === 409)
  t.equal(created.length + refused.length, 50)
  t.ok(created.length >= (mode === 'embedded' ? 50 : 1))
  t.equal(new Set(created.map(({ body }) => body)).size, 1, 'all of them the same answer')
  t.ok(
    refused.every((answer) => answer.json().error_code === 'IDEMPOTENCY_KEY_IN_USE' && answer.headers['retry-after'])
  )
  t.equal(await countTodos(headers), 1)
})

t.test('I02: another todo under the same key is refused, another person is not in the way', async (t) => {
  const [one, other] = [await signUp(app), await signUp(app)]
  t.equal((await create(one.headers, 'k')).statusCode, 201)
  const changed = await create(one.headers, 'k', 'Bread')
  t.equal(changed.statusCode, 422)
  t.match(changed.json(), { status: 'error', error_code: 'IDEMPOTENCY_KEY_REUSED' })
  t.equal((await create(other.headers, 'k', 'Bread')).statusCode, 201)
  t.equal(await countTodos(one.headers), 1)
  t.equal(await countTodos(other.headers), 1)
})

t.test('I03: a repeated create gets the first answer once more, also after the todo has changed', async (t) => {
  const { headers } = await signUp(app)
  const first = await create(headers, 'k')
  const url = first.headers.location ?? ''
  await app.inject({ method: 'PATCH', url, headers, payload: { title: 'Bread' } })
  const again = await create(headers, 'k')
  t.equal(again.statusCode, 201)
  t.equal(again.headers['idempotency-replayed'], 'true')
  t.equal(again.body, first.body)
  t.equal(again.headers.location, url)
  t.equal((await app.inject({ url, headers })).json().data.title, 'Bread')
  const { count } = await app.db
    .selectFrom('audit_events')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('action', '=', 'todo.created')
    .where('target_id', '=', first.json().data.id)
    .executeTakeFirstOrThrow()
  t.ok(count <= 1, 'a replay is not recorded as a second creation')
})

t.test('I05: a refused create leaves its key free, and who is signed out gets no replay', async (t) => {
  const user = await signUp(app)
  t.equal((await create(user.headers, 'k', '')).statusCode, 422)
  t.equal((await create(user.headers, 'k')).statusCode, 201)
  t.equal((await create(user.headers, '')).json().error_code, 'IDEMPOTENCY_KEY_MALFORMED')
  t.equal((await create({}, 'k')).statusCode, 401)
  await app.inject({ method: 'POST', url: '/api/v1/auth/logout', headers: user.headers })
  t.equal((await create(user.headers, 'k')).statusCode, 401)
})

t.test('the document tells of the header and of 409', async (t) => {
  t.match(app.docs.document().paths['/api/v1/todos']?.post, {
    parameters: [{ name: 'idempotency-key', in: 'header', required: false }],
    responses: { 409: {}, 422: {} }
  })
})
