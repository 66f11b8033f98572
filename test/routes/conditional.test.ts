import t from 'tap'
import { signUp, startApp } from '../support/app.ts'

const app = await startApp(t)

async function createTodo() {
  const { headers } = await signUp(app)
  const created = await app.inject({ method: 'POST', url: '/api/v1/todos', headers, payload: { title: 'Milk' } })
  const url = created.headers.location ?? ''
  const read = () => app.inject({ url, headers })
  const patch = (payload: object, etag?: string) =>
    app.inject({ method: 'PATCH', url, headers: { ...headers, ...(etag && { 'if-match': etag }) }, payload })
  return { headers, url, etag: String(created.headers.etag), read, patch }
}

t.test('C07: a todo has one strong ETag for whoever created, read or changed it, and 304 has no body', async (t) => {
  const { headers, url, etag, read, patch } = await createTodo()
  t.match(etag, /^"1-[\w-]{8}"$/)
  t.equal((await read()).headers.etag, etag)
  t.notMatch((await read()).body, 'row_version')
  const unmodified = await app.inject({ url, headers: { ...headers, 'if-none-match': etag } })
  t.equal(unmodified.statusCode, 304)
  t.equal(unmodified.body, '')
  t.equal(unmodified.headers.etag, etag)
  t.equal(unmodified.headers['cache-control'], 'private, no-store')

  const changed = await patch({ title: 'Bread' })
  t.match(changed.headers.etag, /^"2-/)
  t.equal((await app.inject({ url, headers: { ...headers, 'if-none-match': etag } })).statusCode, 200)
})

t.test('C07: another state than If-Match names is left alone, after access and existence were judged', async (t) => {
  const { headers, url, etag, read, patch } = await createTodo()
  await patch({ title: 'Bread' })
  const stale = await patch({ title: 'Butter' }, etag)
  t.equal(stale.statusCode, 412)
  t.match(stale.json(), { status: 'error', error_code: 'PRECONDITION_FAILED' })
  const remove = (ifMatch: string, as = headers) =>
    app.inject({ method: 'DELETE', url, headers: { ...as, 'if-match': ifMatch } })
  t.equal((await remove(etag)).statusCode, 412)
  t.equal((await read()).json().data.title, 'Bread')

  const other = await signUp(app)
  t.equal((await remove('"9-x"', other.headers)).statusCode, 404, 'of others as if it were absent')
  t.equal((await app.inject({ method: 'DELETE', url, headers: { 'if-match': '"9-x"' } })).statusCode, 401)
  const current = String((await read()).headers.etag)
  t.equal((await remove(`"9-x", ${current}`)).statusCode, 204)
  t.equal((await remove(current)).statusCode, 404, 'now it is absent')
})

t.test('C08: of two changes with the same If-Match one succeeds and one gets 412', async (t) => {
  const { etag, read, patch } = await createTodo()
  let current = etag
  for (let round = 1; round <= 5; round++) {
    const answers = await Promise.all(['a', 'b'].map((title) => patch({ title: `${title}${round}` }, current)))
    t.same(answers.map(({ statusCode }) => statusCode).sort(), [200, 412])
    const winner = answers.find(({ statusCode }) => statusCode === 200)
    t.equal((await read()).json().data.title, winner?.json().data.title)
    current = String(winner?.headers.etag)
    t.match(current, new RegExp(`^"${round + 1}-`))
  }
})

t.test('the document tells of ETag, 304, If-Match and 412', async (t) => {
  const { get, patch } = app.docs.document().paths['/api/v1/todos/{todo_id}'] ?? {}
  t.match(get?.responses, { 200: { headers: { ETag: {} } }, 304: {} })
  t.match(patch, { parameters: [{ name: 'todo_id' }, { name: 'if-match', in: 'header' }], responses: { 412: {} } })
})

t.test('every single resource has an ETag', async (t) => {
  const paths = Object.entries(app.docs.document().paths)
  const isSingle = (path: string) => /\}$|\/users\/me$|\/tier$/.test(path)
  const without = paths.filter(([path, { get }]) => isSingle(path) && get && !get.responses?.[304])
  t.same(
    without.map(([path]) => path),
    []
  )
})
