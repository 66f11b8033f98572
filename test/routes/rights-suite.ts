import fc from 'fast-check'
import type { FastifyInstance } from 'fastify'
import { sql } from 'kysely'
import type { Test } from 'tap'
import { loadKeyCaller } from '../../db/callers.ts'
import { isAdminUser, isDormantAdmin, permissionCodes, permissionsOfUser } from '../../db/permissions.ts'
import { holdLiveUser } from '../../db/users.ts'
import { startApp } from '../support/app.ts'
import { caller, type Person, person, roleWith } from '../support/people.ts'

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
  code: string
}

type Send = (who: Person, pick: Picks, flag: boolean) => Promise<{ statusCode: number; body: string }>

const name = () => `n${crypto.randomUUID().slice(0, 12)}`
const account = () => {
  const username = name()
  return { username, email: `${username}@example.com`, password: `Of-${username}` }
}
const letters = () => crypto.randomUUID().replace(/[^a-f]/g, 'x')

/** What only administrators ever get done: nobody else may set the flag, or has what no role grants. */
const forAdmins: Send[] = [
  ({ as }, { role }) => as.patch(`/roles/${role}`, { is_admin: false }),
  ({ as }, { role }) => as.patch(`/roles/${role}`, { is_admin: true }),
  ({ as }, { permission }) => as.delete(`/permissions/${permission}`)
]

/** Every way to lose what one may do, and to get back what was lost. */
const losses: Send[] = [
  ({ as }, { role }) => as.patch(`/roles/${role}`, { is_active: false }),
  ({ as }, { role }) => as.delete(`/roles/${role}`),
  ({ as }, { role, permission }) => as.delete(`/roles/${role}/permissions/${permission}`),
  async ({ as }, { user, role }, isHeld) =>
    as.delete(`/users/${user}/roles/${isHeld ? await first(as.get(`/users/${user}/roles`)) : role}`),
  ({ as }, { user }, is_active) => as.patch(`/users/${user}`, { is_active }),
  ({ as }, { user }, is_active) => as.patch('/users/batch', { users: [{ id: user, is_active }] }),
  ({ as }, { user }, hard) => as.delete(`/users/${user}${hard ? '?hard=true' : ''}`),
  ({ as }, { user }, hard) => as.post(`/users/batch-delete${hard ? '?hard=true' : ''}`, { ids: [user] }),
  async ({ as }) => as.post(`/users/${await first(as.get('/users?deleted=true'))}/restore`),
  async ({ as }, { user }) => as.delete(`/users/${user}/sessions/${await first(as.get(`/users/${user}/sessions`))}`),
  ({ as }) => as.delete('/users/me')
]

/** Ways to get more. */
const gains: Send[] = [
  ({ as }, _, flag) => as.post('/roles', { name: name(), ...(flag && { is_admin: true }) }),
  ({ as }, { role }) => as.patch(`/roles/${role}`, { is_active: true }),
  ({ as }, { role, permission }) => as.post(`/roles/${role}/permissions`, { permission_id: permission }),
  ({ as }, { permission }, is_active) => as.patch(`/permissions/${permission}`, { is_active }),
  ({ as }) => as.post('/permissions', { code: `test:rights:${letters()}` }),
  ({ as }, { user, role }) => as.post(`/users/${user}/roles`, { role_id: role }),
  ({ as }, { user }) => as.patch(`/users/${user}`, { email: `mallory+${name()}@example.com` }),
  ({ as }, { user }) => as.patch('/users/batch', { users: [{ id: user, email: `mallory+${name()}@example.com` }] }),
  ({ as }, _, flag) => as.post('/users', { ...account(), is_verified: flag }),
  ({ as }) => as.post('/users/batch', { users: [account()] }),
  ({ as }, { user }, flag) => as.patch(`/users/${user}/tier`, { tier: flag ? 'pro' : 'free' }),
  ({ as }) => as.post('/api-keys', {}),
  ({ as }, { code }, flag) => as.post('/api-keys', { scopes: flag ? [code] : [...permissionCodes] }),
  async ({ as }, { code }) => as.patch(`/api-keys/${await first(as.get('/api-keys'))}`, { scopes: [code] }),
  async ({ as }) => as.post(`/api-keys/${await first(as.get('/api-keys'))}/rotate`, {})
]

/** The id of the first of a list; that of nothing where there is none. */
async function first(list: ReturnType<Person['as']['get']>): Promise<string> {
  const answer = await list
  const [item] = answer.statusCode === 200 ? answer.json().data : []
  return item?.id ?? '00000000-0000-4000-8000-000000000000'
}

const nat = fc.nat({ max: 999 })
const call = fc.record<Call>({ actor: nat, kind: nat, user: nat, role: nat, permission: nat, flag: fc.boolean() })
const calls = (length: number) => fc.array(call, { minLength: length >> 1, maxLength: length })

/** What holds whatever is called in whatever order. */
export async function rightsSuite(t: Test, { runs, length }: { runs: number; length: number }) {
  const app = await startApp(t, {})
  const options = { numRuns: runs, endOnFailure: true }

  t.test('no sequence of calls by a non-admin ends with a right it did not have', async (t) => {
    const kinds = [...gains, ...gains, ...losses, ...forAdmins]
    const done = new Set<Send>()
    const most = permissionCodes.length - 2
    const powers = fc.subarray([...permissionCodes], { minLength: most - 6, maxLength: most })
    const property = fc.asyncProperty(powers, calls(length), async (powers, calls) => {
      const { mallory } = await reset(app, powers)
      const before = await rights(app)
      const own = before.get(mallory.id)?.permissions ?? []
      let actor = mallory
      for (const call of calls) {
        actor = await awake(app, actor)
        await perform(app, kinds, [actor], call, done)
      }

      for (const [id, after] of await rights(app)) {
        const { is_admin = false, permissions = [], email = '' } = before.get(id) ?? {}
        const isTaken = after.email !== email && id !== mallory.id && before.has(id)
        const beyond = permissions.filter((code) => !own.includes(code))
        if (isTaken && (is_admin || beyond.length > 0)) throw new Error(`who has ${beyond} was taken over`)
        if (is_admin) continue // They hold whatever there is.
        const gained = after.permissions.filter((code) => !own.includes(code) && !permissions.includes(code))
        if (after.is_admin || gained.length > 0) throw new Error(`gained ${gained}`)
      }
      const keys = app.db.selectFrom('api_keys').select(['id', 'user_id', 'scopes', 'expires_at as valid_until'])
      for (const key of await keys.execute()) {
        const { principal } = (await loadKeyCaller(app.db, key)) ?? {}
        const gained = principal?.permissions.filter((code) => !own.includes(code)) ?? []
        if (principal?.is_admin || gained.length > 0) throw new Error(`a key has ${gained}`)
      }
    })
    await t.resolves(fc.assert(property, options), `${runs} sequences`)
    t.notOk(forAdmins.some((send) => done.has(send)))
    allDone(t, done, [...gains, ...losses])
  })

  t.test('no sequence at all leaves zero administrators, parallel calls included', async (t) => {
    // Most of the time few are left: what is lost outweighs what is gained.
    const [unflag, ...others] = forAdmins
    const kinds = [
      ...gains,
      ...others,
      ...Array(5)
        .fill([...losses, unflag])
        .flat()
    ]
    const done = new Set<Send>()
    const property = fc.asyncProperty(calls(length), async (calls) => {
      const { admins, mighty } = await reset(app, [])
      let actors = [...admins, mighty]
      for (let at = 0; at < calls.length; at += 3) {
        actors = await Promise.all(actors.map((actor) => awake(app, actor)))
        await Promise.all(calls.slice(at, at + 3).map((call) => perform(app, kinds, actors, call, done)))
        const left = [...(await rights(app)).values()].filter((user) => user.is_admin && user.is_active)
        if (left.length === 0) throw new Error('nobody is left')
      }
    })
    await t.resolves(fc.assert(property, options), `${runs} sequences`)
    allDone(t, done, kinds)
  })

  /** In a long run nearly every kind of call has its effect now and then, by luck; otherwise it shows nothing. */
  function allDone(t: Test, done: Set<Send>, kinds: Send[]) {
    const never = [...new Set(kinds)].filter((send) => !done.has(send))
    if (runs >= 100) t.ok(never.length <= 2, `all but at most two kinds of call succeeded: ${never.map(String)}`)
  }
}

async function perform(
  app: FastifyInstance,
  kinds: Send[],
  actors: Person[],
  { actor, kind, user, role, permission, flag }: Call,
  done: Set<Send>
) {
  // The oldest accounts are those of the stage, the newest permissions those that the service does not ask for itself. Where it
  // matters most there has to be a choice often: who is an administrator, and by which role.
  const everybody = await app.db
    .selectFrom('users')
    .select(['public_id', isDormantAdmin.as('is_admin')])
    .orderBy('id')
    .execute()
  const sets = [everybody.slice(-2), everybody.filter(({ is_admin }) => is_admin), everybody.slice(0, 5)]
  const users = among(sets, user) ?? []
  const everyRole = await app.db.selectFrom('roles').select(['public_id', 'is_admin']).orderBy('id', 'desc').execute()
  const roles = role % 3 === 0 ? everyRole.filter(({ is_admin }) => is_admin) : everyRole.slice(0, 9)
  const all = await app.db.selectFrom('permissions').select(['public_id', 'code']).orderBy('id', 'desc').execute()
  const permissions = permission % 3 === 0 ? all.slice(0, 5) : all
  const picked = among(permissions, permission)
  const picks = {
    user: among(users, user >> 2)?.public_id ?? '',
    role: among(roles, role >> 2)?.public_id ?? '',
    permission: picked?.public_id ?? '',
    code: picked?.code ?? ''
  }
  const [who, send] = [among(actors, actor), among(kinds, kind)]
  if (who === undefined || send === undefined) throw new Error('There is somebody, and something to do')
  const { statusCode, body } = await send(who, picks, flag)
  if (statusCode >= 500) throw new Error(`${send} answered ${statusCode}: ${body}`)
  if (statusCode < 300) done.add(send)
}

const among = <T>(rows: T[], index: number) => rows[index % rows.length]

/** Whoever lost their session and still has an account signs in again. */
async function awake(app: FastifyInstance, who: Person): Promise<Person> {
  if ((await who.as.get('/users/me')).statusCode !== 401) return who
  const session = await app.database.transaction(async (trx) => {
    if (!(await holdLiveUser(trx, who.user_id))) return undefined
    return app.sessions.create(trx, { user_id: who.user_id, user_agent: null, ip: null })
  })
  if (session === undefined) return who
  const { token } = app.accessTokens.sign({ sub: who.id, sid: session.id })
  const headers = { authorization: `Bearer ${token}` }
  return { ...who, session_id: session.id, headers, as: caller(app, headers) }
}

/**
 * Two administrators by different roles, somebody stronger, somebody weaker, and somebody with the given powers, who also has
 * what sleeps: an inactive role that grants everything, and a permission that is inactive.
 */
async function reset(app: FastifyInstance, powers: readonly string[]) {
  await app.db.deleteFrom('users').execute()
  await app.db.deleteFrom('roles').where('is_protected', '=', false).execute()
  await app.db.deleteFrom('permissions').where('code', 'not in', permissionCodes).execute()
  await app.db.updateTable('permissions').set({ is_active: true }).execute()
  await sql`
    insert into role_permissions (role_id, permission_id)
    select roles.id, permissions.id from roles, permissions
    where roles.name = 'user' and permissions.code like '%:me' on conflict do nothing`.execute(app.db)
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
  const mighty = await person(app, [(await roleWith(app, permissionCodes)).name])
  await person(app)
  return { admins, mighty, mallory: await person(app, [hers.name, dormant.name, drowsy.name]) }
}

async function rights(app: FastifyInstance) {
  const users = await app.db
    .selectFrom('users')
    .select(['public_id', 'email', 'is_active', permissionsOfUser.as('permissions'), isAdminUser.as('is_admin')])
    .where('deleted_at', 'is', null)
    .execute()
  return new Map(users.map((user) => [user.public_id, user]))
}
