import { sql } from 'kysely'
import t from 'tap'
import { emptyDatabase } from '../../support/database.ts'
import { changesOf, client, createTables, newUser, open, rotate, rowOf, signIn, startHost, tokenOf } from './host.ts'
import { testLifecycle } from './lifecycle.ts'
import { testRotation } from './rotation.ts'

const url = await emptyDatabase(t)
const database = await open(t, url)
const secondPool = await open(t, url)
await createTables(database)
testLifecycle(t, database)
testRotation(t, database)

t.test('R04 R05 50 parallel rotations of one token over two processes: one successor, one live branch', async (t) => {
  const one = await startHost(t, database)
  const other = await startHost(t, secondPool)
  let { id, refreshToken } = await signIn(one)

  for (let round = 1; round <= 5; round++) {
    const rotations = await Promise.all(
      Array.from({ length: 50 }, (_, index) => rotate(index % 2 ? one : other, refreshToken))
    )

    const outcomes = rotations.map(({ outcome }) => outcome)
    t.equal(outcomes.filter((outcome) => outcome === 'rotated').length, 1, `round ${round}: one wins`)
    t.equal(outcomes.filter((outcome) => outcome === 'grace').length, 49, 'all others get the same')
    t.equal(new Set(rotations.map(tokenOf)).size, 1)
    t.match(await rowOf(one, id), { counter: round, revoked_at: null })
    refreshToken = rotations.map(tokenOf)[0] ?? ''
  }
})

t.test('R04 parallel use of an old token ends the session once', async (t) => {
  const app = await startHost(t, database, { graceSeconds: 0 })
  const { id, refreshToken } = await signIn(app)
  await rotate(app, refreshToken)

  const rotations = await Promise.all(Array.from({ length: 20 }, () => rotate(app, refreshToken)))

  for (const { outcome } of rotations) t.match(outcome, /^(reused|invalid)$/)
  t.ok(rotations.some(({ outcome }) => outcome === 'reused'))
  t.equal((await rowOf(app, id)).revoked_reason, 'reuse')
  t.same(await changesOf(app, id), [`session:${id}`])
})

t.test('R04 who waited for a lock is judged by when they asked, not by when they got it', async (t) => {
  const app = await startHost(t, database, { graceSeconds: 0 })
  const { id, refreshToken } = await signIn(app)

  const locked = Promise.withResolvers<void>()
  const release = Promise.withResolvers<void>()
  const holding = database.transaction(async (trx) => {
    await sql`select 1 from sessions where id = ${id} for update`.execute(trx)
    locked.resolve()
    await release.promise
  })
  await locked.promise

  const waiting = Promise.all([rotate(app, refreshToken), rotate(app, refreshToken)])
  while ((await countLockWaits()) < 2);
  release.resolve()
  await holding

  const rotations = await waiting
  t.same(rotations.map(({ outcome }) => outcome).sort(), ['grace', 'rotated'])
  t.equal(new Set(rotations.map(tokenOf)).size, 1)
})

t.test('R06 a transaction that began before the rotation gets no grace for that', async (t) => {
  const app = await startHost(t, database, { graceSeconds: 0 })
  const other = await startHost(t, secondPool, { graceSeconds: 0 })
  const { refreshToken } = await signIn(app)

  const late = await app.database.transaction(async (trx) => {
    await sql`select 1`.execute(trx)
    await rotate(other, refreshToken)
    return app.sessions.rotate(trx, refreshToken, client)
  })

  t.equal(late.outcome, 'reused')
})

t.test('R12 a rotation and a revocation at once: the session ends, whoever comes first', async (t) => {
  const app = await startHost(t, database)
  for (let round = 1; round <= 10; round++) {
    const user = newUser()
    const { id, refreshToken } = await signIn(app, user)
    const [rotation] = await Promise.all([
      rotate(app, refreshToken),
      app.database.transaction((trx) => app.sessions.revokeAll(trx, user, 'logout_all'))
    ])
    t.match(rotation.outcome, /^(rotated|invalid)$/)
    t.not((await rowOf(app, id)).revoked_at, null)
    if (rotation.outcome === 'rotated') t.same(await rotate(app, tokenOf(rotation)), { outcome: 'invalid' })
  }
})

async function countLockWaits(): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    select count(*)::int as count from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock'`.execute(database.db)
  return rows[0]?.count ?? 0
}
