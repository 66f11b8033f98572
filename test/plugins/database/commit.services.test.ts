import { CompiledQuery, type Kysely, sql } from 'kysely'
import t, { type Test } from 'tap'
import { type OpenDatabase, openDatabase, type Tables } from '../../../plugins/database/index.ts'
import { emptyDatabase } from '../../support/database.ts'
import { tcpProxy } from '../../support/tcp-proxy.ts'

async function open(t: Test, url: URL, options: { transactionTimeoutMs?: number } = {}): Promise<OpenDatabase> {
  const database = await openDatabase({ url: url.href, poolSize: 1, maxOverflow: 0, ...options })
  t.teardown(() => database.close())
  return database
}

/** An empty table in a database of the test's own. */
async function withNotes(t: Test) {
  const url = new URL(await emptyDatabase(t))
  const direct = await open(t, url)
  await sql`create table notes (text text)`.execute(direct.db)
  return { url, direct }
}

/** The same table, opened a second time through a proxy that can be slow or change what it carries. */
async function behindProxy(t: Test, options?: { transactionTimeoutMs: number }) {
  const { url, direct } = await withNotes(t)
  const proxy = await tcpProxy(t, Number(url.port || 5432))
  url.port = String(proxy.port)
  return { database: await open(t, url, options), direct, proxy }
}

async function notes({ db }: OpenDatabase): Promise<string[]> {
  const { rows } = await sql<{ text: string }>`select text from notes`.execute(db)
  return rows.map(({ text }) => text)
}

t.test('without its BEGIN nothing of a transaction runs', async (t) => {
  const { database, direct, proxy } = await behindProxy(t)
  proxy.replace('begin\0', 'bogus\0')
  const write = database.transaction((trx) => sql`insert into notes values (${'half'})`.execute(trx))
  await t.rejects(write, { message: /syntax error/ })
  t.same(await notes(direct), [])
})

t.test('a change and what waits for its commit take three round trips', async (t) => {
  const { database, direct, proxy } = await behindProxy(t)
  const change = () =>
    database.transaction(async (trx) => {
      database.beforeCommit(trx, CompiledQuery.raw('insert into notes values ($1)', ['record']))
      await sql`insert into notes values (${'change'})`.execute(trx)
    })
  await change()
  proxy.delay(200)
  const startedAt = performance.now()
  await change()
  const ms = performance.now() - startedAt
  t.ok(ms >= 600 && ms < 800, `${ms} ms`)
  t.same(await notes(direct), ['change', 'record', 'change', 'record'])
})

t.test('a change of one statement and what goes with it take one round trip', async (t) => {
  const { database, direct, proxy } = await behindProxy(t)
  const beside = { sql: 'insert into notes select $1 from written', parameters: ['record'] }
  const change = () =>
    database.write((trx) => sql`insert into notes values (${'change'}) returning text`.execute(trx), {
      companions: [beside]
    })
  await change()
  proxy.delay(200)
  const startedAt = performance.now()
  await change()
  const ms = performance.now() - startedAt
  t.ok(ms >= 200 && ms < 400, `${ms} ms`)
  t.same((await notes(direct)).sort(), ['change', 'change', 'record', 'record'])
})

t.test('without its COMMIT nothing of a transaction stays', async (t) => {
  const { database, direct, proxy } = await behindProxy(t)
  proxy.replace('commit\0', 'bogus!\0')
  const write = database.transaction(async (trx) => {
    database.beforeCommit(trx, CompiledQuery.raw('insert into notes values ($1)', ['record']))
    await sql`insert into notes values (${'change'})`.execute(trx)
  })
  await t.rejects(write, { message: /syntax error/ })
  t.same(await notes(direct), [])
  t.same((await sql`select 1 as one`.execute(database.db)).rows, [{ one: 1 }])
})

t.test('a first statement without values stays in its transaction, whatever ends it', async (t) => {
  const { database, direct, proxy } = await behindProxy(t, { transactionTimeoutMs: 150 })
  const write = (trx: Kysely<Tables>) => sql.raw(`insert into notes values ('outside')`).execute(trx)
  const sibling = database.transaction((trx) => Promise.all([write(trx), Promise.reject(new Error('sibling'))]))
  await t.rejects(sibling, { message: 'sibling' })
  const forgotten = database.transaction(async (trx) => {
    write(trx).catch(() => {})
    await Promise.resolve()
    throw new Error('forgotten')
  })
  await t.rejects(forgotten, { message: 'forgotten' })
  const many = database.transaction(async (trx) => {
    await sql.raw(`insert into notes values ('b'); insert into notes values ('c')`).execute(trx)
    throw new Error('half-way')
  })
  await t.rejects(many, { message: 'half-way' })
  proxy.delay(250)
  await t.rejects(database.transaction(write), { code: 'TRANSACTION_TIMEOUT' })
  t.same(await notes(direct), [])
  proxy.delay(0)
  await database.transaction(write)
  t.same(await notes(direct), ['outside'])
})

t.test('a first statement that cannot be parsed fails like any other', async (t) => {
  const { url, direct } = await withNotes(t)
  const database = await open(t, url)
  const pid = async () => (await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(database.db)).rows[0]?.pid
  const before = await pid()
  const add = <DB>(to: Kysely<DB>) => sql`insert into later values (${'a'})`.execute(to)
  await t.rejects(database.transaction(add), { code: '42P01' })
  const mapped = database.transaction((trx) => add(trx).catch(() => Promise.reject(new Error('said otherwise'))))
  await t.rejects(mapped, { message: 'said otherwise' })
  const goingOn = database.transaction(async (trx) => {
    await add(trx).catch(() => {})
    await sql`insert into notes values (${'outside'})`.execute(trx)
  })
  await t.rejects(goingOn, { code: '25P02' })
  const swallowed = database.transaction(async (trx) => {
    await add(trx).catch(() => {})
  })
  await t.rejects(swallowed, 'there was nothing to commit')
  await sql`create table later (text text)`.execute(direct.db)
  await database.transaction(add)
  await database.transaction(add)
  t.equal(await pid(), before, 'on one connection all the time')
  t.same((await sql`select text from later`.execute(direct.db)).rows, [{ text: 'a' }, { text: 'a' }])
  t.same(await notes(direct), [])
})

t.test('what goes with a COMMIT leaves it its time, and its rows are nobody’s', async (t) => {
  const { url, direct } = await withNotes(t)
  await sql
    .raw(
      `create function dawdle() returns trigger language plpgsql as 'begin perform pg_sleep(1.3); return null; end';
       create constraint trigger slow after insert on notes initially deferred for each row execute function dawdle()`
    )
    .execute(direct.db)
  const database = await openDatabase({ url: url.href, poolSize: 1, maxOverflow: 0, statementTimeoutMs: 1400 })
  t.teardown(() => database.close())
  await database.transaction(async (trx) => {
    const last = `with done as (select pg_sleep(1.3)) insert into notes select $1 from done returning 9223372036854775807::int8`
    database.beforeCommit(trx, CompiledQuery.raw(last, ['kept']))
  })
  t.same(await notes(direct), ['kept'])
})
