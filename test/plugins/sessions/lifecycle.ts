import { sql } from 'kysely'
import type { Test } from 'tap'
import type { OpenDatabase } from '../../../plugins/database/index.ts'
import type { SessionsOptions } from '../../../plugins/sessions/index.ts'
import { age, changesOf, client, newUser, rotate, rowOf, signIn, startHost, table } from './host.ts'

const DAY = 86_400

/** How sessions begin, end, are listed and cleaned up, on both databases. */
export function testLifecycle(t: Test, database: OpenDatabase): void {
  const start = (t: Test, options: Partial<SessionsOptions> = {}) => startHost(t, database, options)

  t.test('a sign-in makes one row and a token that names it', async (t) => {
    const app = await start(t)
    const user = newUser()

    const { id, refreshToken, expiresAt } = await signIn(app, user)

    t.match(refreshToken, new RegExp(`^rt_k1\\.${id}\\.0\\.[\\w-]{43}$`))
    const row = await rowOf(app, id)
    t.match(row, { user_id: user, counter: 0, ...client, rotated_at: null, revoked_at: null, revoked_reason: null })
    t.equal(Date.parse(row.expires_at) - Date.parse(row.created_at), 90 * DAY * 1000)
    t.ok(Math.abs(Date.parse(expiresAt) - Date.now() - 30 * DAY * 1000) < 60_000, 'idle end')
  })

  t.test('R10 R19 every sign-in has ids of its own, and no row holds what a token is made of', async (t) => {
    const app = await start(t)
    const one = await signIn(app)
    const other = await signIn(app)

    t.not(one.id, other.id)
    const stored = JSON.stringify(await table(app).selectFrom('sessions').selectAll().execute())
    for (const { refreshToken } of [one, other]) {
      t.notOk(stored.includes(refreshToken.split('.').at(-1) ?? ''))
    }
  })

  t.test('R11 revoking ends a session once and tells of it once', async (t) => {
    const app = await start(t)
    const { id, refreshToken } = await signIn(app)
    const revoke = () => app.database.transaction((trx) => app.sessions.revoke(trx, id, 'logout'))

    t.equal(app.sessions.peek(refreshToken), id)
    t.equal(await revoke(), true)
    t.equal(await revoke(), false)

    t.same(await rotate(app, refreshToken), { outcome: 'invalid' })
    t.match(await rowOf(app, id), { revoked_reason: 'logout', counter: 0 })
    t.same(await changesOf(app, id), [`session:${id}`])
    t.equal(app.sessions.peek(refreshToken), id, 'peek does not ask the database')
    const unknown = app.database.transaction((trx) =>
      app.sessions.revoke(trx, '00000000-0000-4000-8000-000000000000', 'logout')
    )
    t.equal(await unknown, false)
  })

  t.test('R12 revoking all ends those of one user, all or all but one', async (t) => {
    const app = await start(t)
    const user = newUser()
    const [a, b, c] = [await signIn(app, user), await signIn(app, user), await signIn(app, user)]
    const other = await signIn(app)

    const but = await app.database.transaction((trx) => app.sessions.revokeAll(trx, user, 'password_changed', b.id))
    t.equal(but, 2)
    t.same((await changesOf(app, a.id, b.id, c.id)).sort(), [`session:${a.id}`, `session:${c.id}`].sort())
    t.match(await rowOf(app, a.id), { revoked_reason: 'password_changed' })
    t.match(await rotate(app, b.refreshToken), { outcome: 'rotated' })

    t.equal(await app.database.transaction((trx) => app.sessions.revokeAll(trx, user, 'logout_all')), 1)
    t.equal(await app.database.transaction((trx) => app.sessions.revokeAll(trx, user, 'logout_all')), 0)
    t.match(await rotate(app, other.refreshToken), { outcome: 'rotated' }, 'nobody else is touched')
  })

  t.test('R13 revoking with an owner ends nobody else’s session', async (t) => {
    const app = await start(t)
    const [user, stranger] = [newUser(), newUser()]
    const { id } = await signIn(app, user)
    const revokeAs = (owner: number) =>
      app.database.transaction((trx) => app.sessions.revoke(trx, id, 'revoked', owner))

    t.equal(await revokeAs(stranger), false)
    t.equal((await rowOf(app, id)).revoked_at, null)
    t.same(await changesOf(app, id), [])
    t.equal(await revokeAs(user), true)
    t.match(await rowOf(app, id), { revoked_reason: 'revoked' })
  })

  t.test('R20 beyond the maximum a sign-in ends the session of that user unused for longest', async (t) => {
    const app = await start(t, { maxPerUser: 2 })
    const user = newUser()
    const bystander = await signIn(app)
    const [first, second] = [await signIn(app, user), await signIn(app, user)]
    await age(app, second.id, 60)

    const third = await signIn(app, user)

    t.same([first.ended, second.ended, third.ended], [[], [], [second.id]])
    t.match(await rowOf(app, second.id), { revoked_reason: 'limit' })
    t.same(await changesOf(app, second.id), [`session:${second.id}`])
    t.same((await app.sessions.list(app.db, user)).map(({ id }) => id).sort(), [first.id, third.id].sort())
    t.equal((await rowOf(app, bystander.id)).revoked_at, null)
  })

  t.test('R13 the list shows the live sessions of one user, the last used first', async (t) => {
    const app = await start(t)
    const user = newUser()
    const [a, b, revoked, idle, ended] = [1, 2, 3, 4, 5].map(() => signIn(app, user))
    const ids = await Promise.all([a, b, revoked, idle, ended].map(async (session) => (await session)?.id ?? ''))
    await signIn(app)
    const [first = '', , third = '', fourth = '', fifth = ''] = ids
    await app.database.transaction((trx) => app.sessions.revoke(trx, third, 'logout'))
    await age(app, fourth, 30 * DAY)
    await sql`update sessions set expires_at = clock_timestamp() where id = ${fifth}`.execute(app.db)
    await age(app, first, 3600)

    const list = await app.sessions.list(app.db, user)

    t.same(
      list.map(({ id }) => id),
      [ids[1], first]
    )
    t.same(Object.keys(list[0] ?? {}).sort(), ['created_at', 'expires_at', 'id', 'ip', 'last_used_at', 'user_agent'])
    t.match(list[0], { ...client, last_used_at: /^\d{4}-\d\d-\d\dT[\d:.]+Z$/ })
  })

  t.test('clean-up deletes dead sessions after a while, live ones never', async (t) => {
    const app = await start(t)
    await table(app).deleteFrom('sessions').execute()
    const sessions = await Promise.all([1, 2, 3, 4].map(() => signIn(app)))
    const [live = '', revoked = '', idle = '', justRevoked = ''] = sessions.map(({ id }) => id)
    for (const id of [revoked, justRevoked]) {
      await app.database.transaction((trx) => app.sessions.revoke(trx, id, 'logout'))
    }
    await age(app, live, 20 * DAY)
    await age(app, revoked, 8 * DAY)
    await age(app, idle, 31 * DAY)

    t.equal(await app.sessions.prune(app.db, { limit: 1 }), 1)
    t.equal(await app.sessions.prune(app.db), 1)
    t.equal(await app.sessions.prune(app.db), 0)

    const left = await table(app).selectFrom('sessions').select('id').execute()
    t.same(left.map(({ id }) => id).sort(), [live, justRevoked].sort())
    t.equal(await app.sessions.prune(app.db, { keepDays: 0 }), 1)
  })

  t.test('a client of any length is stored cut to size, an unknown one as null', async (t) => {
    const app = await start(t)
    const long = { user_agent: 'x'.repeat(8000), ip: 'y'.repeat(200) }
    const { id, refreshToken } = await app.database.transaction((trx) =>
      app.sessions.create(trx, { user_id: 1, ...long })
    )
    t.match(await rowOf(app, id), { user_agent: 'x'.repeat(512), ip: 'y'.repeat(64) })
    await rotate(app, refreshToken, { user_agent: null as never, ip: null as never })
    t.match(await rowOf(app, id), { user_agent: null, ip: null })
  })
}
