import t from 'tap'
import { signUp, startApp } from '../support/app.ts'
import { mode } from '../support/mode.ts'
import { administrator, person } from '../support/people.ts'

const app = await startApp(t)

interface Person {
  username: string
  headers: Record<string, string>
}

/** What can be created idempotently, with two bodies each. */
const kinds = {
  todo: { path: () => '/todos', bodies: [{ title: 'Milk' }, { title: 'Bread' }] },
  item: { path: () => '/items', bodies: [{ title: 'Milk' }, { title: 'Bread' }] },
  post: {
    path: ({ username }: Person) => `/users/${username}/posts`,
    bodies: [
      { title: 'Milk', text: 'White' },
      { title: 'Milk', text: 'Fresh' }
    ]
  },
  task: { path: () => '/tasks', bodies: [{ message: 'Milk' }, { message: 'Bread' }] }
}
type Kind = keyof typeof kinds

function create(kind: Kind, person: Person, key: string, payload: object = kinds[kind].bodies[0] ?? {}) {
  const url = `/api/v1${kinds[kind].path(person)}`
  const headers = { ...person.headers, 'idempotency-key': `"${key}"` }
  return app.inject({ method: 'POST', url, headers, payload })
}
const own = { item: '/items/mine', todo: '/todos', task: '/tasks' }
const count = async (kind: Kind, person: Person) => {
  const url = `/api/v1${kind === 'post' ? kinds.post.path(person) : own[kind]}`
  return (await app.inject({ url, headers: person.headers })).json().total_count
}
/** With a tier that admits several tasks an hour. */
async function pro() {
  const [{ as }, user] = [await administrator(app), await person(app)]
  await as.patch(`/users/${user.id}/tier`, { tier: 'pro' })
  return user
}

for (const kind of ['todo', 'item', 'post'] as const) {
  t.test(`I01: 50 parallel creates with one key make one ${kind}, everyone gets 201 or 409`, async (t) => {
    const person = await signUp(app)
    const answers = await Promise.all(Array.from({ length: 50 }, () => create(kind, person, 'parallel')))
    const created = answers.filter(({ statusCode }) => statusCode === 201)
    const refused = answers.filter(({ statusCode }) => statusCode === 409)
    t.equal(created.length + refused.length, 50)
    t.ok(created.length >= (mode === 'embedded' ? 50 : 1))
    t.equal(new Set(created.map(({ body }) => body)).size, 1, 'all of them the same answer')
    t.ok(
      refused.every((answer) => answer.json().error_code === 'IDEMPOTENCY_KEY_IN_USE' && answer.headers['retry-after'])
    )
    t.equal(await count(kind, person), 1)
  })
}

t.test('I02: another body under the same key is refused; another person or route is not in the way', async (t) => {
  const [one, other] = [await pro(), await pro()]
  for (const kind of Object.keys(kinds) as Kind[]) {
    t.equal((await create(kind, one, 'k')).statusCode, 201, kind)
    const changed = await create(kind, one, 'k', kinds[kind].bodies[1])
    t.equal(changed.statusCode, 422)
    t.match(changed.json(), { status: 'error', error_code: 'IDEMPOTENCY_KEY_REUSED' })
    t.equal((await create(kind, other, 'k', kinds[kind].bodies[1])).statusCode, 201)
    t.equal(await count(kind, one), 1)
    t.equal(await count(kind, other), 1)
  }
})

t.test('I03: a repeated create gets the first answer once more, and is recorded once', async (t) => {
  const person = await pro()
  for (const kind of Object.keys(kinds) as Kind[]) {
    const first = await create(kind, person, 'k')
    const url = first.headers.location ?? ''
    if (kind !== 'task')
      await app.inject({ method: 'PATCH', url, headers: person.headers, payload: { title: 'Butter' } })
    const again = await create(kind, person, 'k')
    t.equal(again.statusCode, 201, kind)
    t.equal(again.headers['idempotency-replayed'], 'true')
    t.equal(again.body, first.body)
    t.equal(again.headers.location, url)
    if (kind !== 'task') t.match((await app.inject({ url, headers: person.headers })).body, 'Butter')
    const events = await app.db
      .selectFrom('audit_events')
      .select('request_id')
      .where('action', '=', `${kind}.created`)
      .where('actor_id', '=', person.id)
      .execute()
    t.same(events, [{ request_id: first.headers['x-request-id'] }])
  }
})

t.test('I03: who may not create any more gets no replay', async (t) => {
  const { user_id, ...user } = await person(app)
  t.equal((await create('todo', user, 'k')).statusCode, 201)
  t.equal((await create('todo', user, 'k')).headers['idempotency-replayed'], 'true')
  await app.database.transaction(async (trx) => {
    await trx.deleteFrom('user_roles').where('user_id', '=', user_id).execute()
    await app.changes.record(trx, 'user', user.id)
  })
  t.equal((await create('todo', user, 'k')).statusCode, 403)
})

t.test('I05: a refused create leaves its key free, and who is signed out gets no replay', async (t) => {
  const user = await signUp(app)
  t.equal((await create('todo', user, 'k', { title: '' })).statusCode, 422)
  t.equal((await create('todo', user, 'k')).statusCode, 201)
  t.equal((await create('todo', user, '')).json().error_code, 'IDEMPOTENCY_KEY_MALFORMED')
  t.equal((await create('todo', { ...user, headers: {} }, 'k')).statusCode, 401)
  await app.inject({ method: 'POST', url: '/api/v1/auth/logout', headers: user.headers })
  t.equal((await create('todo', user, 'k')).statusCode, 401)
})

t.test('the document tells of the header and of 409', async (t) => {
  t.match(app.docs.document().paths['/api/v1/todos']?.post, {
    parameters: [{ name: 'idempotency-key', in: 'header', required: false }],
    responses: { 409: {}, 422: {} }
  })
})
