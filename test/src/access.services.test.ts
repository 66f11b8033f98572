import { setTimeout as delay } from 'node:timers/promises'
import { sql } from 'kysely'
import t from 'tap'
import { lockRole } from '../../db/roles.ts'
import { generateSecrets } from '../../src/secrets.ts'
import { startApp } from '../support/app.ts'
import { administrator, caller, person, roleWith } from '../support/people.ts'
import { services } from '../support/server.ts'

// Two processes of one service, the second one with a default role that nothing else protects.
const shared = { ...(await services(t)), ...generateSecrets() }
const here = await startApp(t, shared)
const member = await roleWith(here, [], 'member')
const there = await startApp(t, { ...shared, DEFAULT_USER_ROLE: member.name })
const admin = await administrator(here)
const readers = await roleWith(here, ['read:user:all'])

const revocations: Record<string, (id: string) => PromiseLike<{ statusCode: number }>> = {
  'A12 a deleted user is out': (id) => admin.as.delete(`/users/${id}`),
  'A12 a user who is deleted for good is out': (id) => admin.as.delete(`/users/${id}?hard=true`),
  'A13 a deactivated user is out': (id) => admin.as.patch(`/users/${id}`, { is_active: false }),
  'A15 who lost a role cannot do what it granted': (id) => admin.as.delete(`/users/${id}/roles/${readers.id}`),
  'A15 a deactivated role grants nothing': () => admin.as.patch(`/roles/${readers.id}`, { is_active: false })
}

for (const [what, revoke] of Object.entries(revocations)) {
  t.test(`${what} at once here, and within a second elsewhere`, async (t) => {
    const user = await person(here, [readers.name])
    const statusAt = async (app: typeof here) => (await caller(app, user.headers).get('/users')).statusCode
    t.same([await statusAt(here), await statusAt(there)], [200, 200])

    const { statusCode } = await revoke(user.id)
    const revokedAt = performance.now()

    t.match(String(statusCode), /^20[04]$/)
    t.not(await statusAt(here), 200, 'here')
    let askedAt = performance.now()
    while ((await statusAt(there)) === 200) {
      if (askedAt - revokedAt > 1000) return t.fail('alive after a second')
      await delay(20)
      askedAt = performance.now()
    }
  })
}

t.test('the default role of the configuration is as protected as those that are marked so', async (t) => {
  const { as } = await administrator(there)
  for (const changes of [{ name: 'other' }, { is_active: false }, { is_admin: true }]) {
    t.equal((await as.patch(`/roles/${member.id}`, changes)).statusCode, 409, JSON.stringify(changes))
  }
  t.equal((await as.delete(`/roles/${member.id}`)).statusCode, 409)
  const account = { email: 'new@example.com', username: 'new-member', password: 'Correct-horse-1' }
  t.match((await caller(there, {}).post('/auth/register', account)).json().data, { roles: ['member'] })
})

t.test('Z06 what a role or a user gets while the call waits for it counts', async (t) => {
  const powers = await roleWith(here, ['create:user_role:all', 'update:user:all'])
  const mallory = await person(here, [powers.name])
  const as = caller(there, mallory.headers)
  t.equal((await as.get('/users/me')).statusCode, 200)
  const role = await roleWith(here, [])
  const victim = await person(here)

  const { calls } = await here.database.transaction(async (trx) => {
    await lockRole(trx, role.id, 'forNoKeyUpdate')
    await trx.selectFrom('users').select('id').where('id', '=', victim.user_id).forNoKeyUpdate().execute()
    const calls = [
      as.post(`/users/${mallory.id}/roles`, { role_id: role.id }),
      as.patch(`/users/${victim.id}`, { email: 'mallory@example.com' })
    ]
    for (let waiting = 0, tries = 0; waiting < calls.length && tries < 500; tries++) {
      await sql`select pg_stat_clear_snapshot()`.execute(trx)
      const { rows } = await sql`
        select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`.execute(trx)
      waiting = rows.length
      await delay(10)
    }
    await sql`insert into role_permissions (role_id, permission_id)
      select roles.id, permissions.id from roles, permissions
      where roles.public_id = ${role.id} and permissions.code = 'delete:role:all'`.execute(trx)
    await sql`insert into user_roles (user_id, role_id)
      select ${victim.user_id}, id from roles where name = 'admin'`.execute(trx)
    return { calls }
  })

  const answers = await Promise.all(calls)
  t.match(
    answers.map((answer) => [answer.statusCode, answer.json().missing]),
    [
      [403, ['delete:role:all']],
      [403, ['admin']]
    ]
  )
})
