import t from 'tap'
import { signUp, startApp } from '../support/app.ts'

const app = await startApp(t)

t.test('people read and change their own account', async (t) => {
  const user = await signUp(app)
  const { headers } = user
  const patch = (payload: object) => app.inject({ method: 'PATCH', url: '/api/v1/users/me', headers, payload })

  const me = await app.inject({ url: '/api/v1/users/me', headers })
  t.match(me.json().data, { id: user.id, email: user.email, username: user.username, name: null, roles: ['user'] })

  const named = await patch({ name: 'Ada', profile_image_url: 'https://example.com/a.png' })
  t.match(named.json().data, { name: 'Ada', profile_image_url: 'https://example.com/a.png' })
  t.match((await patch({ name: null })).json().data, { name: null, profile_image_url: 'https://example.com/a.png' })
  const renamed = `${user.username.slice(0, 10)}-2`
  t.equal((await patch({ username: renamed.toUpperCase() })).json().data.username, renamed)
  t.match((await app.inject({ url: '/api/v1/users/me', headers })).json().data, { username: renamed, name: null })
})

t.test('what is not theirs to set is refused, and the row stays as it was', async (t) => {
  const user = await signUp(app)
  const taken = await signUp(app)
  const before = await app.db.selectFrom('users').selectAll().where('username', '=', user.username).executeTakeFirst()
  for (const payload of [
    {},
    { id: '00000000-0000-4000-8000-000000000000' },
    { roles: ['admin'] },
    { is_active: true },
    { is_verified: true },
    { email: 'other@example.com' },
    { password_hash: 'x' },
    { profile_image_url: 'javascript:alert(1)' },
    { username: null },
    { name: 5 }
  ]) {
    const answer = await app.inject({ method: 'PATCH', url: '/api/v1/users/me', headers: user.headers, payload })
    t.equal(answer.statusCode, 422, JSON.stringify(payload))
  }
  const conflict = await app.inject({
    method: 'PATCH',
    url: '/api/v1/users/me',
    headers: user.headers,
    payload: { username: taken.username }
  })
  t.match([conflict.statusCode, conflict.json().errors], [409, [{ field: 'username' }]])
  t.same(await app.db.selectFrom('users').selectAll().where('username', '=', user.username).executeTakeFirst(), before)
})
