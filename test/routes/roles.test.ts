import t from 'tap'
import { permissionCodes } from '../../db/permissions.ts'
import { startApp } from '../support/app.ts'
import { administrator, person } from '../support/people.ts'
import { roleCalls } from './role-calls.ts'

const app = await startApp(t, {})
const admin = await administrator(app)
const { idOf, create, grant } = roleCalls(app, admin)
const events = async (target: string) =>
  (
    await app.db.selectFrom('audit_events').select('action').where('target_id', '=', target).orderBy('id').execute()
  ).map(({ action }) => action)

t.test('the permissions of the table are those that routes may ask for, and users have their own', async (t) => {
  const rows = await app.db.selectFrom('permissions').select('code').execute()
  t.same(rows.map(({ code }) => code).sort(), [...permissionCodes].sort())

  const { as } = await person(app)
  const { permissions } = (await as.get('/users/me')).json().data
  t.ok(permissions.length > 0 && permissions.every((code: string) => code.endsWith(':me')))
  t.notOk(permissions.includes('read:user:all'))
  const all = (await admin.as.get('/users/me')).json().data
  t.same([...all.permissions].sort(), [...permissionCodes].sort())
  t.same(all.roles, ['admin', 'user'])
})

t.test('a role is created, read, changed, listed and deleted', async (t) => {
  const created = await admin.as.post('/roles', { name: 'editor', description: 'Edits' })
  t.equal(created.statusCode, 201, created.body)
  const { data } = created.json()
  t.match(data, { name: 'editor', description: 'Edits', is_admin: false, is_protected: false, is_active: true })
  t.equal(created.headers.location, `/api/v1/roles/${data.id}`)
  const url = `/roles/${data.id}`
  t.same((await admin.as.get(url)).json().data, data)

  t.match((await admin.as.patch(url, { description: null })).json().data, { name: 'editor', description: null })
  t.match((await admin.as.patch(url, { name: 'chief', is_active: false })).json().data, {
    name: 'chief',
    is_active: false
  })
  t.match((await admin.as.get('/roles?items_per_page=1')).json(), {
    data: [{ name: 'admin' }],
    has_more: true,
    page: 1
  })
  for (const bad of [
    {},
    { name: 'Upper' },
    { name: null },
    { is_protected: false },
    { id: data.id },
    { is_active: 'x' }
  ]) {
    t.equal((await admin.as.patch(url, bad)).statusCode, 422, JSON.stringify(bad))
  }

  t.equal((await admin.as.delete(url)).statusCode, 204)
  for (const answer of [
    await admin.as.get(url),
    await admin.as.patch(url, { name: 'x' }),
    await admin.as.delete(url)
  ]) {
    t.equal(answer.statusCode, 404)
  }
  t.same(await events(data.id), ['role.created', 'role.updated', 'role.updated', 'role.deleted'])
})

t.test('a permission is created, read, changed and deleted; its code never changes', async (t) => {
  const created = await admin.as.post('/permissions', { code: 'publish:post:all' })
  t.equal(created.statusCode, 201, created.body)
  const { id } = created.json().data
  t.equal(created.headers.location, `/api/v1/permissions/${id}`)
  t.match((await admin.as.get(`/permissions/${id}`)).json().data, { code: 'publish:post:all', is_active: true })
  t.match((await admin.as.patch(`/permissions/${id}`, { description: 'x' })).json().data, { description: 'x' })
  t.equal((await admin.as.patch(`/permissions/${id}`, { code: 'a:b:c' })).statusCode, 422)
  t.equal((await admin.as.post('/permissions', { code: 'read:user' })).statusCode, 422)
  t.ok((await admin.as.get('/users/me')).json().data.permissions.includes('publish:post:all'), 'administrators have it')

  const role = await create('publisher')
  t.equal((await grant(role, 'publish:post:all')).statusCode, 201)
  t.equal((await admin.as.delete(`/permissions/${id}`)).statusCode, 409, 'a role grants it')
  t.equal((await admin.as.delete(`/roles/${role}/permissions/${id}`)).statusCode, 204)
  t.equal((await admin.as.delete(`/permissions/${id}`)).statusCode, 204)
  t.equal((await admin.as.get(`/permissions/${id}`)).statusCode, 404)
  t.equal(
    (await admin.as.delete(`/permissions/${await idOf('read:user:all')}`)).statusCode,
    409,
    'the service asks for it'
  )
  t.same(await events(role), ['role.created', 'permission.granted', 'permission.revoked'])
})

t.test('A15 what is granted, assigned, disabled or taken acts on the next request', async (t) => {
  const { id, as } = await person(app)
  const status = async () => (await as.get('/roles')).statusCode
  const { missing } = (await as.get('/roles')).json()
  t.same(missing, ['read:role:all'])

  const role = await create('reader')
  t.equal((await admin.as.post(`/users/${id.toUpperCase()}/roles`, { role_id: role.toUpperCase() })).statusCode, 201)
  t.equal(await status(), 403)
  const granted = await grant(role.toUpperCase(), 'read:role:all')
  t.equal(granted.statusCode, 201, granted.body)
  t.equal(await status(), 200, 'granted')
  t.equal((await admin.as.get(granted.headers.location?.slice(7) ?? '')).json().data.code, 'read:role:all')
  t.match((await admin.as.get(`/roles/${role}/permissions`)).json(), {
    total_count: 1,
    data: [{ code: 'read:role:all' }]
  })
  t.ok((await as.get('/users/me')).json().data.roles.includes('reader'))

  const permission = await idOf('read:role:all')
  for (const [path, off, on] of [
    [`/roles/${role}`, { is_active: false }, { is_active: true }],
    [`/permissions/${permission.toUpperCase()}`, { is_active: false }, { is_active: true }]
  ] as const) {
    t.equal((await admin.as.patch(path, off)).statusCode, 200)
    t.equal(await status(), 403, `${path} inactive`)
    t.equal((await admin.as.patch(path, on)).statusCode, 200)
    t.equal(await status(), 200, `${path} active again`)
  }
  t.equal((await admin.as.delete(`/roles/${role}`)).statusCode, 409, 'somebody has it')
  t.match((await admin.as.get(`/users/${id}/roles`)).json().data, [{ name: 'reader' }, { name: 'user' }])
  t.equal((await admin.as.get(`/users/${id}/roles/${role}`)).json().data.name, 'reader')

  t.equal((await admin.as.delete(`/users/${id.toUpperCase()}/roles/${role}`)).statusCode, 204)
  t.equal(await status(), 403, 'taken')
  t.equal((await admin.as.delete(`/users/${id}/roles/${role}`)).statusCode, 404)
  t.equal((await admin.as.get(`/users/${id}/roles/${role}`)).statusCode, 404)
  t.same((await events(id)).slice(-2), ['role.assigned', 'role.unassigned'])
})

t.test('50 identical creations, grants and assignments at once give one 201, the rest 409', async (t) => {
  const { id } = await person(app)
  const role = await create('raced')
  const permission_id = await idOf('read:user:all')
  for (const [path, payload] of [
    ['/roles', { name: 'race' }],
    ['/permissions', { code: 'race:race:race' }],
    [`/roles/${role}/permissions`, { permission_id }],
    [`/users/${id}/roles`, { role_id: role }]
  ] as const) {
    const answers = await Promise.all(Array.from({ length: 50 }, () => admin.as.post(path, payload)))
    t.same(answers.map(({ statusCode }) => statusCode).sort(), [201, ...Array(49).fill(409)], path)
  }
})

t.test('a role and a permission are changed and deleted in the version that was read, or not at all', async (t) => {
  for (const [collection, payload] of [
    ['/roles', { name: 'versioned' }],
    ['/permissions', { code: 'test:versioned:all' }]
  ] as const) {
    const { headers, ...created } = await admin.as.post(collection, payload)
    const url = `/api/v1${collection}/${created.json().data.id}`
    const send = (method: 'PATCH' | 'DELETE', etag: unknown) =>
      app.inject({
        method,
        url,
        headers: { ...admin.headers, 'if-match': String(etag) },
        ...(method === 'PATCH' && { payload: { description: String(etag) } })
      })
    t.equal(
      (await app.inject({ url, headers: { ...admin.headers, 'if-none-match': String(headers.etag) } })).statusCode,
      304
    )
    const changed = await send('PATCH', headers.etag)
    t.equal(changed.statusCode, 200, changed.body)
    for (const method of ['PATCH', 'DELETE'] as const) t.equal((await send(method, headers.etag)).statusCode, 412)
    t.equal((await send('DELETE', changed.headers.etag)).statusCode, 204)
  }
})

t.test('what is absent answers 404, in the path and in the body', async (t) => {
  const absent = '00000000-0000-4000-8000-000000000000'
  const role = await create('lonely')
  const { id } = await person(app)
  for (const answer of [
    admin.as.get(`/roles/${absent}/permissions`),
    admin.as.post(`/roles/${absent}/permissions`, { permission_id: await idOf('read:user:all') }),
    admin.as.post(`/roles/${role}/permissions`, { permission_id: absent }),
    admin.as.get(`/roles/${role}/permissions/${absent}`),
    admin.as.delete(`/roles/${role}/permissions/${await idOf('read:user:all')}`),
    admin.as.post(`/users/${id}/roles`, { role_id: absent }),
    admin.as.post(`/users/${absent}/roles`, { role_id: role }),
    admin.as.get(`/users/${absent}/roles`),
    admin.as.delete(`/permissions/${absent}`),
    admin.as.patch(`/permissions/${absent}`, { is_active: true })
  ]) {
    t.equal((await answer).statusCode, 404, (await answer).body)
  }
})
