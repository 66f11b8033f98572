import { sql } from 'kysely'
import t from 'tap'
import { openDatabase } from '../../../plugins/database/index.ts'
import { emptyDatabase } from '../../support/database.ts'
import { createTable, startApp, until } from './start-app.ts'

const url = await emptyDatabase(t)
const observer = await openDatabase({ url, poolSize: 1 })
t.teardown(() => observer.close())

/** No poll comes by itself within a test. */
const NEVER_MS = 3_600_000

t.test('a change is heard here before the transaction resolves, elsewhere within a second, once by each', async (t) => {
  await createTable(t, observer)
  const [here, there] = await Promise.all([startApp(t, { url }), startApp(t, { url })])
  const heardHere: string[] = []
  const heardThere: string[] = []
  here.changes.on('user', (key) => heardHere.push(key))
  there.changes.on('user', (key) => heardThere.push(key))
  await Promise.all([here.app.ready(), there.app.ready()])

  await here.database.transaction((trx) => here.changes.record(trx, 'user', 'ada'))
  t.same(heardHere, ['ada'])
  await until(() => heardThere.length > 0, 1000)

  await there.database.transaction((trx) => there.changes.record(trx, 'user', 'bob'))
  await until(() => heardHere.length > 1, 1000)
  t.same(heardHere, ['ada', 'bob'])
  t.same(heardThere, ['ada', 'bob'])
})

t.test('a change that is rolled back is never heard of', async (t) => {
  await createTable(t, observer)
  const [here, there] = await Promise.all([startApp(t, { url, pollMs: 20 }), startApp(t, { url, pollMs: 20 })])
  const heard: string[] = []
  for (const { changes } of [here, there]) changes.on('user', (key) => heard.push(key))
  await Promise.all([here.app.ready(), there.app.ready()])
  const work = here.database.transaction(async (trx) => {
    await here.changes.record(trx, 'user', 'nobody')
    throw new Error('rolled back')
  })
  await t.rejects(work)
  await here.database.transaction((trx) => here.changes.record(trx, 'user', 'last'))
  await until(() => heard.length >= 2, 1000)
  t.same(heard, ['last', 'last'])
})

t.test('a change committed late, behind newer ones, is not missed', async (t) => {
  await createTable(t, observer)
  const { app, changes } = await startApp(t, { url, pollMs: 20, overlapSeconds: 5 })
  const heard: string[] = []
  changes.on('user', (key) => heard.push(key))
  await app.ready()

  const add = (key: string) => sql`insert into changes (kind, key) values ('user', ${key})`
  const slow = Promise.withResolvers<void>()
  const isWritten = Promise.withResolvers<void>()
  const late = observer.transaction(async (trx) => {
    await add('late').execute(trx)
    isWritten.resolve()
    await slow.promise
  })
  await isWritten.promise
  const other = await openDatabase({ url, poolSize: 1 })
  t.teardown(() => other.close())
  await add('newer').execute(other.db)
  await until(() => heard.includes('newer'), 1000)
  await add('newest').execute(other.db)
  await until(() => heard.includes('newest'), 1000)
  slow.resolve()
  await late
  await until(() => heard.includes('late'), 1000)
  t.same(heard, ['newer', 'newest', 'late'], 'each once, though every read saw them again')
})

t.test('freshness is lost a second after the start of the last good read', async (t) => {
  await createTable(t, observer)
  let clock = 5000
  const { app, changes } = await startApp(t, { url, pollMs: NEVER_MS, now: () => clock })
  t.equal(changes.isFresh(), false, 'nothing was read yet')
  await app.ready()
  t.equal(changes.isFresh(), true)
  clock += 1000
  t.equal(changes.isFresh(), true)
  clock += 1
  t.equal(changes.isFresh(), false)
})

t.test('failed reads are logged once per outage, and what was missed is heard after it', async (t) => {
  await createTable(t, observer)
  const { app, changes, lines } = await startApp(t, { url, pollMs: 10 })
  const heard: string[] = []
  changes.on('user', (key) => heard.push(key))
  await app.ready()

  for (const outage of [1, 2]) {
    await sql`alter table changes rename to changes_gone`.execute(observer.db)
    await until(() => !changes.isFresh(), 2000)
    t.match(lines, Array(outage).fill({ msg: 'The change feed cannot be read; nothing cached is trusted' }))
    t.equal(lines.length, outage)
    await sql`insert into changes_gone (kind, key) values ('user', ${`missed ${outage}`})`.execute(observer.db)
    await sql`alter table changes_gone rename to changes`.execute(observer.db)
    await until(() => changes.isFresh(), 1000)
    t.equal(heard.at(-1), `missed ${outage}`)
  }
})

t.test('the feed goes on while the pool is exhausted', async (t) => {
  await createTable(t, observer)
  const { app, changes, database } = await startApp(t, { url, pollMs: 10, poolSize: 1, maxOverflow: 0 })
  const heard: string[] = []
  changes.on('user', (key) => heard.push(key))
  await app.ready()
  await database.transaction(async () => {
    await sql`insert into changes (kind, key) values ('user', 'ada')`.execute(observer.db)
    await until(() => heard.includes('ada'), 1000)
  })
  t.same(heard, ['ada'])
})

t.test('a listener that fails does not keep the others from hearing', async (t) => {
  await createTable(t, observer)
  const { app, changes, lines, database } = await startApp(t, { url, pollMs: NEVER_MS })
  const heard: string[] = []
  changes.on('user', () => {
    throw new Error('broken')
  })
  changes.on('user', (key) => heard.push(key))
  await app.ready()
  await database.transaction((trx) => changes.record(trx, 'user', 'ada'))
  t.same(heard, ['ada'])
  t.match(lines, [{ msg: 'A listener for changes failed', err: { message: 'broken' } }])
})

t.test('a process that slept longer than changes are kept is told to drop everything', async (t) => {
  await createTable(t, observer)
  await sql`create table skew (seconds int)`.execute(observer.db)
  await sql`insert into skew values (0)`.execute(observer.db)
  t.teardown(() => sql`drop table skew cascade`.execute(observer.db))
  // The database's clock, ahead by as much as we like.
  await sql`create function now() returns timestamptz stable language sql
    as 'select pg_catalog.now() + make_interval(secs => seconds) from skew'`.execute(observer.db)
  t.teardown(() => sql`drop function if exists public.now()`.execute(observer.db))
  const skewed = `${url}?options=${encodeURIComponent('-c search_path=public,pg_catalog')}`
  const { app, changes } = await startApp(t, { url: skewed, pollMs: 10 })
  const heard: string[] = []
  changes.on('user', (key) => heard.push(key))
  changes.onGap(() => heard.push('gap'))
  await app.ready()

  const sleepUntil = async (seconds: number, key: string) => {
    await observer.transaction(async (trx) => {
      await sql`update skew set seconds = ${seconds}`.execute(trx)
      await sql`insert into changes (kind, key, created_at)
        values ('user', ${key}, clock_timestamp() + make_interval(secs => ${seconds}))`.execute(trx)
    })
    await until(() => heard.includes(key), 1000)
  }
  await sleepUntil(3500, 'less than an hour')
  await sleepUntil(7200, 'more than an hour')
  t.same(heard, ['less than an hour', 'gap', 'more than an hour'])
})

t.test('without its table the app does not start', async (t) => {
  const { app } = await startApp(t, { url })
  await t.rejects(Promise.resolve(app.ready()), { code: '42P01' })
})

t.test('close waits for the read under way and leaves no timer', async (t) => {
  await createTable(t, observer)
  const { app, database } = await startApp(t, { url, pollMs: 1 })
  await app.ready()
  await app.close()
  await t.resolves(database.check(), 'the database was not closed under it')
})
