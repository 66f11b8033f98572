import { once } from 'node:events'
import { connect } from 'node:net'
import t from 'tap'
import { portOf, signIn, signUp, startApp } from '../support/app.ts'
import { administrator, caller, keyOf, person } from '../support/people.ts'

const app = await startApp(t)
const port = await portOf(app)
const admin = await administrator(app)

/** Sends everything but the last byte of the body, and waits until the service has judged the headers. */
async function begin(method: string, path: string, headers: Record<string, string>, payload: object) {
  const body = JSON.stringify(payload)
  const head = { host: 'a', 'content-type': 'application/json', 'content-length': `${body.length}`, ...headers }
  const socket = connect(port, '127.0.0.1')
  let received = ''
  socket.on('data', (chunk) => (received += chunk))
  await once(socket, 'connect')
  // The interim answer says that the headers have been read. They are judged before the next call of a test has ended.
  const lines = Object.entries({ ...head, expect: '100-continue', connection: 'close' })
  socket.write(`${method} /api/v1${path} HTTP/1.1\r\n${lines.map((line) => line.join(': ')).join('\r\n')}\r\n\r\n`)
  await once(socket, 'data')
  socket.write(body.slice(0, -1))
  return async () => {
    const ended = once(socket, 'close')
    socket.write(body.slice(-1))
    await ended
    return Number(/^HTTP\/1\.1 ([2-5]\d\d)/m.exec(received)?.[1])
  }
}

t.test('A10 A14 A15: a request whose session ends before its body does is refused', async (t) => {
  const user = await signUp(app)
  const thief = (await signIn(app, user)).headers
  const begun = [
    await begin('POST', '/api-keys', thief, { name: 'for later' }),
    await begin('POST', '/todos', thief, { title: 'Mine' }),
    await begin('PATCH', '/users/me', thief, { name: 'Somebody' })
  ]
  const change = { current_password: user.password, new_password: 'another correct horse' }
  t.equal((await caller(app, user.headers).post('/users/me/change-password', change)).statusCode, 200)

  t.same(await Promise.all(begun.map((finish) => finish())), [401, 401, 401])
  t.same((await caller(app, user.headers).get('/api-keys')).json().data, [])

  const calm = await begin('POST', '/todos', user.headers, { title: 'Mine' })
  t.equal(await calm(), 201, 'slowness alone is no fault')
})

t.test('Z06: a right that is taken, or an account that is closed, before the body ends counts no more', async (t) => {
  const demoted = await administrator(app)
  const friend = await person(app)
  const roles = (await admin.as.get('/roles')).json().data
  const role_id = roles.find(({ name }: { name: string }) => name === 'admin').id
  const promotion = await begin('POST', `/users/${friend.id}/roles`, demoted.headers, { role_id })
  const creation = await begin('POST', '/roles', demoted.headers, { name: 'r_slow' })
  t.equal((await admin.as.delete(`/users/${demoted.id}/roles/${role_id}`)).statusCode, 204)
  t.equal(await promotion(), 403)
  t.equal((await admin.as.patch(`/users/${demoted.id}`, { is_active: false })).statusCode, 200)
  t.equal(await creation(), 401)
  t.equal((await friend.as.get('/users')).statusCode, 403)
})

t.test('K04: nor does an API key that is revoked meanwhile', async (t) => {
  const user = await person(app)
  const key = await keyOf(app, user, ['create:todo:me', 'read:todo:me'])
  const finish = await begin('POST', '/todos', key.headers, { title: 'Mine' })
  t.equal((await user.as.delete(`/api-keys/${key.id}`)).statusCode, 204)
  t.equal(await finish(), 401)
  t.equal((await user.as.get('/todos')).json().data.length, 0)
})

t.test('C03: of two renames at once, no name keeps the posts of the one who has left it', async (t) => {
  const [ana, first, second] = [await signUp(app), name(), name()]
  const posts = (username: string) => `/users/${username}/posts`
  const as = caller(app, ana.headers)
  t.equal((await as.post(posts(ana.username), { title: 'Mine', text: 'Secret words' })).statusCode, 201)
  const later = await begin('PATCH', '/users/me', ana.headers, { username: second })
  t.equal((await as.patch('/users/me', { username: first })).statusCode, 200)
  const anybody = caller(app, {})
  t.equal((await anybody.get(posts(first))).json().data.length, 1)
  t.equal(await later(), 200)
  t.equal((await anybody.get(posts(first))).statusCode, 404)
  await signUp(app, first)
  t.same((await anybody.get(posts(first))).json().data, [])
})

const name = () => `u${crypto.randomUUID().slice(0, 12)}`
