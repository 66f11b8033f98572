import t from 'tap'
import { signIn, signUp, startApp } from '../support/app.ts'
import { administrator, caller, PASSWORD, person, roleWith } from '../support/people.ts'

const app = await startApp(t)
const admin = await administrator(app)
const fresh = () => `n${crypto.randomUUID().slice(0, 12)}`
const account = (username = fresh()) => ({ username, email: `${username}@example.com`, password: `Of-${username}` })
const rowOf = (id: string) => app.db.selectFrom('users').selectAll().where('public_id', '=', id).executeTakeFirst()
const signInStatus = async ({ email, password }: { email: string; password: string }) => {
  const payload = { identifier: email, password }
  return (await app.inject({ method: 'POST', url: '/api/v1/auth/login', payload })).statusCode
}

t.test('an administrator creates, reads and changes a user', async (t) => {
  const wanted = { ...account(), name: 'Ada', is_verified: true }
  const created = await admin.as.post('/users', wanted)
  t.equal(created.statusCode, 201, created.body)
  const { password: _, ...shown } = wanted
  const { data } = created.json()
  t.match(data, { ...shown, roles: ['user'], is_active: true })
  t.notMatch(created.body, /hash|user_id|is_admin/)
  t.equal(created.headers.location, `/api/v1/users/${data.id}`)
  t.same((await admin.as.get(`/users/${data.id}`)).json().data, data)
  t.equal(await signInStatus(wanted), 200)

  const email = `NEW-${wanted.email}`
  const changed = await admin.as.patch(`/users/${data.id}`, { email, name: null, is_verified: false })
  t.match(changed.json().data, {
    email: email.toLowerCase(),
    name: null,
    is_verified: false,
    username: wanted.username
  })
  for (const [bad, status] of [
    [{}, 422],
    [{ password: 'Another-1' }, 422],
    [{ username: '-dash' }, 422],
    [{ email: admin.email.toUpperCase() }, 409],
    [{ username: admin.username }, 409]
  ] as const) {
    t.equal((await admin.as.patch(`/users/${data.id}`, bad)).statusCode, status, JSON.stringify(bad))
  }
  t.equal((await admin.as.post('/users', { ...account(), password: 'short' })).json().errors[0].field, 'password')
  const actions = await app.db
    .selectFrom('audit_events')
    .select('action')
    .where('target_id', '=', data.id)
    .orderBy('id')
    .execute()
  t.same(
    actions.map(({ action }) => action),
    ['user.created', 'user.updated', 'email.changed']
  )
})

t.test('an address that an administrator changes is unverified, unless the same call says otherwise', async (t) => {
  const { id, username } = await person(app)
  const address = (n: number) => `${n}-${username}@example.com`
  const patch = async (changes: object, as = admin.as) =>
    ((await as.patch(`/users/${id}`, changes)).json().data ?? {}) as { email: string; is_verified: boolean }
  t.match(await patch({ email: address(1), is_verified: true }), { email: address(1), is_verified: true })
  t.match(await patch({ email: address(1).toUpperCase() }), { email: address(1), is_verified: true }, 'no other one')
  t.match(await patch({ email: address(2) }), { email: address(2), is_verified: false }, 'nobody has confirmed it')

  const batch = (changes: object) => admin.as.patch('/users/batch', { users: [{ id, ...changes }] })
  await batch({ is_verified: true })
  await batch({ email: address(3) })
  t.match(await rowOf(id), { email: address(3), is_verified: false }, 'in a batch')

  await admin.as.post(`/users/${id}/roles`, { role_id: (await roleWith(app, ['update:user:all'])).id })
  const self = await signIn(app, { email: address(3), password: PASSWORD })
  await patch({ is_verified: true })
  t.match(await patch({ email: address(4) }, caller(app, self.headers)), { is_verified: false }, 'their own')
})

t.test(
  'Z09 a user is public but for their address and standing, which they and readers of all users see',
  async (t) => {
    const user = await person(app)
    const reader = await person(app, [(await roleWith(app, ['read:user:all'])).name])
    const path = `/users/${user.id}`
    for (const as of [caller(app, {}), (await person(app)).as]) {
      const { data } = (await as.get(path)).json()
      t.same(Object.keys(data).sort(), ['created_at', 'id', 'name', 'profile_image_url', 'username'])
    }
    for (const as of [user.as, reader.as, admin.as]) {
      t.match((await as.get(path)).json().data, { email: user.email, is_active: true, roles: ['user'] })
    }
    await admin.as.patch(path, { is_active: false })
    t.equal((await caller(app, {}).get(path)).statusCode, 404, 'a deactivated one is not public')
    t.equal((await reader.as.get(path)).json().data.is_active, false)
  }
)

t.test('A13 a deactivated user is out at once, and comes back only by signing in', async (t) => {
  const user = await signUp(app)
  const as = caller(app, user.headers)
  const refresh = () => as.post('/auth/refresh', { refresh_token: user.refreshToken })
  t.equal((await as.get('/users/me')).statusCode, 200)
  t.equal((await admin.as.patch(`/users/${user.id.toUpperCase()}`, { is_active: false })).statusCode, 200)

  for (const isActive of [false, true]) {
    t.equal((await as.get('/users/me')).statusCode, 401)
    t.equal((await refresh()).statusCode, 401)
    t.equal(await signInStatus(user), isActive ? 200 : 403)
    await admin.as.patch(`/users/${user.id}`, { is_active: true })
  }
  t.equal((await caller(app, (await signIn(app, user)).headers).get('/users/me')).statusCode, 200)
})

t.test('an administrator sees and ends the sessions of a user', async (t) => {
  const user = await person(app)
  const other = await person(app)
  const { data } = (await admin.as.get(`/users/${user.id}/sessions`)).json()
  t.match(data, [{ id: user.session_id, current: false }])
  t.equal((await admin.as.delete(`/users/${other.id}/sessions/${user.session_id}`)).statusCode, 404, 'not theirs')
  t.equal((await user.as.get('/users/me')).statusCode, 200)
  t.equal((await admin.as.delete(`/users/${user.id}/sessions/${user.session_id.toUpperCase()}`)).statusCode, 204)
  t.equal((await user.as.get('/users/me')).statusCode, 401)
  t.equal((await admin.as.delete(`/users/${user.id}/sessions/${user.session_id}`)).statusCode, 404)
})

t.test('P08 one address in two spellings never makes two accounts', async (t) => {
  const { email, username, password } = account()
  t.equal((await admin.as.post('/users', { email, username, password })).statusCode, 201)
  const at = email.indexOf('@')
  for (const spelling of [email.toUpperCase(), `${email.slice(0, at)}@EXAMPLE.com`]) {
    t.equal((await admin.as.post('/users', { ...account(), email: spelling })).statusCode, 409, spelling)
  }
  for (const lookalike of [
    email.replace('n', 'ո'),
    email.replace('example', 'ехample'),
    email.replace('@', '＠'),
    `${email}\u200b`
  ]) {
    t.equal((await admin.as.post('/users', { ...account(), email: lookalike })).statusCode, 422, lookalike)
  }
  for (const spelling of [username.toUpperCase(), username.replace('n', 'ｎ')]) {
    t.equal((await admin.as.post('/users', { ...account(), username: spelling })).statusCode, 409, spelling)
  }
})

t.test('50 identical creations at once give one 201, the rest 409', async (t) => {
  const payload = account()
  const answers = await Promise.all(Array.from({ length: 50 }, () => admin.as.post('/users', payload)))
  t.same(answers.map(({ statusCode }) => statusCode).sort(), [201, ...Array(49).fill(409)])
})

t.test('a service whose default role is absent, inactive or for administrators does not start', async (t) => {
  for (const [role, reason] of [
    ['nobody', 'there is no role nobody'],
    ['admin', 'admin is inactive or for administrators']
  ]) {
    await t.rejects(startApp(t, { DEFAULT_USER_ROLE: role }), { message: `DEFAULT_USER_ROLE: ${reason}` })
  }
})
