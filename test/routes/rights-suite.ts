import fc from 'fast-check'
import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import { isAdminUser, permissionCodes, permissionsOfUser } from '../../db/permissions.ts'
import { startApp } from '../support/app.ts'
import { type Person, person, roleWith } from '../support/people.ts'

/** One call, whose numbers choose among what there is at that moment. */
interface Call {
  actor: number
  kind: number
  user: number
  role: number
  permission: number
  flag: boolean
}

interface Picks {
  user: string
  role: string
  permission: string
}

type Send = (who: Person, pick: Picks, flag: boolean) => Promise<{ statusCode: number; body: string }>

const name = () => `n${crypto.randomUUID().slice(0, 12)}`
const letters = () => crypto.randomUUID().replace(/[^a-f]/g, 'x')

/** Ways to lose what one may do, or to get it back. */
const losses: Send[] = [
  ({ as }, { role }, is_active) => as.patch(`/roles/${role}`, { is_active }),
  ({ as }, { role }, is_admin) => as.patch(`/roles/${role}`, { is_admin }),
  ({ as }, { role }) => as.delete(`/roles/${role}`),
  ({ as }, { user, role }) => as.delete(`/users/${user}/roles/${role}`),
  ({ as }, { user }, is_active) => as.patch(`/users/${user}`, { is_active }),
  ({ as }, { user }, is_active) => as.patch('/users/batch', { users: [{ id: user, is_active }] }),
  ({ as }, { user }, hard) => as.delete(`/users/${user}${hard ? '?hard=true' : ''}`),
  ({ as }, { user }, hard) => as.post(`/users/batch-delete${hard ? '?hard=true' : ''}`, { ids: [user] }),
  ({ as }, { user }) => as.post(`/users/${user}/restore`),
  ({ as }) => as.delete('/users/me')
]

/** Ways to get more. */
const gains: Send[] = [
  ({ as }, _, flag) => as.post('/roles', { name: name(), ...(flag && { is_admin: true }) }),
  ({ as }, { role }) => as.patch(`/roles/${role}`, { is_active: true }),
  ({ as }, { role }) => as.patch(`/roles/${role}`, { is_admin: true }),
  ({ as }, { role, permission }) => as.post(`/roles/${role}/permissions`, { permission_id: permission }),
  ({ as }, { permission }, is_active) => as.patch(`/permissions/${permission}`, { is_active }),
  ({ as }) => as.post('/permissions', { code: `test:rights:${letters()}` }),
  ({ as }, { permission }) => as.delete(`/permissions/${permission}`),
  ({ as }, { user, role }) => as.post(`/users/${user}/roles`, { role_id: role }),
  ({ as }, { user }) => as.patch(`/users/${user}`, { email: `mallory+${name()}@example.com` }),
  ({ as }, { user }) => as.patch('/users/batch', { users: [{ id: user, email: `mallory+${name()}@example.com` }] })
]

const nat = fc.nat({ max: 999 })
const call = fc.record<Call>({ actor: nat, kind: nat, user: nat, role: nat, permission: nat, flag: fc.boolean() })
const calls = (length: number) => fc.array(call, { minLength: length >> 1, maxLength: length })

/** What holds whatever is called in whatever order. */
export async function rightsSuite(t: Test, { runs, length }: { runs: number; length: number }) {
  const app = await startApp(t, {})
  const options = { numRuns: runs, endOnFailure: true }

  t.test('no sequence of calls by a non-admin ends with a right it did not have', async (t) => {
    const most = permissionCodes.length - 2
    const powers = fc.subarray([...permissionCodes], { minLength: most - 6, maxLength: most })
    const property = fc.asyncProperty(powers, calls(length), async (powers, calls) => {
      const { mallory } = await reset(app, powers)
      const before = await rights(app)
      const own = before.get(mallory.id)?.permissions ?? []
      for (const call of calls) await perform(app, [...gains, ...gains, ...gains, ...losses], [mallory], call)

      for (const [id, after] of await rights(app)) {
        const { is_admin = false, permissions = [], email = '' } = before.get(id) ?? {}
        const isTaken = after.email !== email && id !== mallory.id
        const beyond = permissions.filter((code) => !own.includes(code))
        if (isTaken && (is_admin || beyond.length > 0)) throw new Error(`who has ${beyond} was taken over`)
        if (is_admin) continue // They hold whatever there is.
        const gained = after.permissions.filter((code) => !own.includes(code) && !permissions.includes(code))
        if (after.is_admin || gained.length > 0) throw new Error(`gained ${gained}`)
      }
    })
    await t.resolves(fc.assert(property, options), `${runs} sequences`)
  })

  t.test('no sequence at all leaves zero administrators, parallel calls included', async (t) => {
    const property = fc.asyncProperty(calls(length), async (calls) => {
      const { admins } = await reset(app, [])
      for (let at = 0; at < calls.length; at += 2) {
        await Promise.all(calls.slice(at, at + 2).map((call) => perform(app, losses, admins, call)))
        const left = [...(await rights(app)).values()].filter((user) => user.is_admin && user.is_active)
        if (left.length === 0) throw new Error('nobody is left')
      }
    })
    await t.resolves(fc.assert(property, options), `${runs} sequences`)
  })
}

async function perform(
  app: FastifyInstance,
  kinds: Send[],
  actors: Person[],
  { actor, kind, user, role, permission, flag }: Call
) {
  const among = (rows: Array<{ public_id: string }>, index: number) => rows[index % rows.length]?.public_id ?? ''
  const picks = {
    user: among(await app.db.selectFrom('users').select('public_id').orderBy('id').limit(4).execute(), user),
    role: among(await app.db.selectFrom('roles').select('public_id').orderBy('id', 'desc').limit(6).execute(), role),
    permission: among(
      await app.db.selectFrom('permissions').select('public_id').orderBy('id', 'desc').execute(),
      permission
    )
  }
  const [who, send] = [actors[actor % actors.length], kinds[kind % kinds.length]]
  if (who === undefined || send === undefined) throw new Error('There is somebody, and something to do')
  const { statusCode, body } = await send(who, picks, flag)
  if (statusCode >= 500) throw new Error(`${send} answered ${statusCode}: ${body}`)
}

/**
 * Two administrators by different roles, somebody stronger and somebody with the given powers, who also has what sleeps:
 * an inactive role that grants everything, and a permission that is inactive.
 */
async function reset(app: FastifyInstance, powers: readonly string[]) {
  await app.db.deleteFrom('users').execute()
  await app.db.deleteFrom('roles').where('is_protected', '=', false).execute()
  await app.db.deleteFrom('permissions').where('code', 'not in', permissionCodes).execute()
  await app.db.updateTable('permissions').set({ is_active: true }).execute()
  const dormant = await roleWith(app, permissionCodes)
  const boss = await roleWith(app, [])
  const asleep = `test:asleep:${letters()}`
  await app.db.insertInto('permissions').values({ code: asleep, is_active: false }).execute()
  const drowsy = await roleWith(app, [asleep])
  const hers = await roleWith(app, powers)
  await app.db.updateTable('roles').set({ is_active: false }).where('name', '=', dormant.name).execute()
  await app.db.updateTable('roles').set({ is_admin: true }).where('name', '=', boss.name).execute()
  await app.db
    .insertInto('permissions')
    .values({ code: `test:asleep:${letters()}`, is_active: false })
    .execute()
  const admins = [await person(app, ['admin']), await person(app, [boss.name])]
  await person(app, [(await roleWith(app, permissionCodes)).name])
  return { admins, mallory: await person(app, [hers.name, dormant.name, drowsy.name]) }
}

async function rights(app: FastifyInstance) {
  const users = await app.db
    .selectFrom('users')
    .select(['public_id', 'email', 'is_active', permissionsOfUser.as('permissions'), isAdminUser.as('is_admin')])
    .where('deleted_at', 'is', null)
    .execute()
  return new Map(users.map((user) => [user.public_id, user]))
}
