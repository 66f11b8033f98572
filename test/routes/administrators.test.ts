import t from 'tap'
import { permissionCodes } from '../../db/permissions.ts'
import { startApp } from '../support/app.ts'
import { administrator, person, roleWith } from '../support/people.ts'
import { roleCalls } from './role-calls.ts'

const app = await startApp(t, {})
// The demo administrator of the embedded mode would be another one that stays.
await app.db.deleteFrom('users').where('username', '=', 'admin').execute()
const admin = await administrator(app)
const { idOf, create, grant } = roleCalls(app, admin)
const roleNamed = async (name: string) =>
  (await app.db.selectFrom('roles').selectAll().where('name', '=', name).executeTakeFirstOrThrow()).public_id

t.test('protected roles keep their name and their power, and cannot be deleted', async (t) => {
  for (const name of ['admin', 'user']) {
    const id = await roleNamed(name)
    for (const changes of [{ name: 'other' }, { is_active: false }, { is_admin: name === 'user' }]) {
      t.equal((await admin.as.patch(`/roles/${id}`, changes)).statusCode, 409, `${name} ${JSON.stringify(changes)}`)
    }
    t.equal((await admin.as.patch(`/roles/${id}`, { description: `The ${name}s` })).statusCode, 200)
    t.equal((await admin.as.delete(`/roles/${id}`)).statusCode, 409)
  }
})

t.test('Z06 nobody hands on, takes away or touches what they lack', async (t) => {
  const powers = permissionCodes.filter((code) => /:(role|permission|user_role|role_permission):all$/.test(code))
  const { name } = await roleWith(app, [
    ...powers,
    'update:user:all',
    'delete:user:all',
    'create:user:all',
    'read:session:all'
  ])
  const { as, id, ...mallory } = await person(app, [name])
  const secret = await idOf('delete:session:all')
  const denied = async (answer: ReturnType<typeof as.get>, missing: string[]) => {
    const { statusCode, body } = await answer
    t.match([statusCode, JSON.parse(body)], [403, { error_code: 'PERMISSION_DENIED', missing }], body)
  }

  const own = (await as.post('/roles', { name: 'own' })).json().data.id
  await denied(as.post(`/roles/${own}/permissions`, { permission_id: secret }), ['delete:session:all'])
  await denied(as.post('/roles', { name: 'boss', is_admin: true }), ['admin'])
  await denied(as.patch(`/roles/${own}`, { is_admin: true }), ['admin'])
  await denied(as.post(`/users/${id}/roles`, { role_id: await roleNamed('admin') }), ['admin'])
  await denied(as.post(`/roles/${await roleNamed('admin')}/permissions`, { permission_id: secret }), [
    'admin',
    'delete:session:all'
  ])
  await denied(as.patch(`/roles/${await roleNamed('admin')}`, { description: 'x' }), ['admin'])

  const mighty = await create('mighty')
  await grant(mighty, 'delete:session:all')
  await denied(as.post(`/users/${id}/roles`, { role_id: mighty }), ['delete:session:all'])
  await admin.as.patch(`/roles/${mighty}`, { is_active: false })
  await denied(as.patch(`/roles/${mighty}`, { is_active: true }), ['delete:session:all'])
  await denied(as.delete(`/roles/${mighty}`), ['delete:session:all'])
  await denied(as.delete(`/roles/${mighty}/permissions/${secret}`), ['delete:session:all'])
  await denied(as.patch(`/permissions/${secret}`, { is_active: false }), ['delete:session:all'])
  await denied(as.delete(`/permissions/${secret}`), ['delete:session:all'])

  const asleep = await roleWith(app, ['delete:session:all'])
  const sleeper = await person(app, [asleep.name])
  await app.db.updateTable('roles').set({ is_active: false }).where('name', '=', asleep.name).execute()
  const awake = await person(app, [(await roleWith(app, ['delete:session:all'])).name])
  for (const victim of [admin, awake, sleeper]) {
    const missing = victim === admin ? ['admin'] : ['delete:session:all']
    await denied(as.patch(`/users/${victim.id}`, { email: 'mallory@example.com' }), missing)
    await denied(as.patch(`/users/${victim.id}`, { is_active: false }), missing)
    await denied(as.delete(`/users/${victim.id}`), missing)
    await denied(as.delete(`/users/${victim.id}?hard=true`), missing)
    await denied(as.post(`/users/${victim.id}/roles`, { role_id: own }), missing)
    const batch = await as.post('/users/batch-delete', { ids: [victim.id] })
    t.match(batch.json().data, [{ code: 403, error_code: 'PERMISSION_DENIED' }])
    t.equal((await victim.as.get('/users/me')).json().data.email, victim.email)
  }
  t.equal((await as.post(`/users/${id}/roles`, { role_id: own })).statusCode, 201, 'what they have they may hand on')
  t.equal((await as.get('/users/me')).statusCode, 200, mallory.username)
})

t.test('Z06 the last administrator stays, whichever way they would go', async (t) => {
  const adminRole = await roleNamed('admin')
  const refused = async (answer: ReturnType<typeof admin.as.get>) =>
    t.match([(await answer).statusCode, (await answer).json().error_code], [409, 'LAST_ADMIN'])

  await refused(admin.as.delete('/users/me'))
  await refused(admin.as.delete(`/users/${admin.id}`))
  await refused(admin.as.delete(`/users/${admin.id}?hard=true`))
  await refused(admin.as.patch(`/users/${admin.id}`, { is_active: false }))
  await refused(admin.as.delete(`/users/${admin.id}/roles/${adminRole}`))
  for (const answer of [
    await admin.as.post('/users/batch-delete', { ids: [admin.id] }),
    await admin.as.patch('/users/batch', { users: [{ id: admin.id, is_active: false }] })
  ]) {
    t.match(answer.json().data, [{ code: 409, error_code: 'LAST_ADMIN' }])
  }

  const second = await create('second-admin', { is_admin: true })
  t.equal((await admin.as.post(`/users/${admin.id}/roles`, { role_id: second })).statusCode, 201)
  t.equal(
    (await admin.as.delete(`/users/${admin.id}/roles/${adminRole}`)).statusCode,
    204,
    'another role makes them one'
  )
  await refused(admin.as.patch(`/roles/${second}`, { is_active: false }))
  await refused(admin.as.patch(`/roles/${second}`, { is_admin: false }))
  t.equal((await admin.as.post(`/users/${admin.id}/roles`, { role_id: adminRole })).statusCode, 201)
  t.equal((await admin.as.patch(`/roles/${second}`, { is_admin: false })).statusCode, 200)
})

t.test('of two administrators who delete each other at the same moment one stays', async (t) => {
  for (let round = 0; round < 3; round++) {
    const others = await Promise.all([administrator(app), administrator(app)])
    // Only these two are left to the race.
    await app.db.updateTable('users').set({ is_active: false }).where('public_id', '=', admin.id).execute()
    const [one, two] = others
    const answers = await Promise.all([
      one.as.delete(`/users/${two.id}`),
      two.as.delete('/users/me'),
      one.as.delete('/users/me')
    ])
    const live = await app.db
      .selectFrom('users')
      .select('id')
      .where('public_id', 'in', [one.id, two.id])
      .where('deleted_at', 'is', null)
      .execute()
    t.equal(live.length, 1, answers.map(({ statusCode }) => statusCode).join())
    t.ok(answers.every(({ statusCode }) => [204, 401, 404, 409].includes(statusCode)))
    await app.db.updateTable('users').set({ is_active: true }).where('public_id', '=', admin.id).execute()
    await app.db.deleteFrom('users').where('public_id', 'in', [one.id, two.id]).execute()
  }
})
