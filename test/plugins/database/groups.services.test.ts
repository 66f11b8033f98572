import { CompiledQuery, sql } from 'kysely'
import t, { type Test } from 'tap'
import { type OpenDatabase, openDatabase } from '../../../plugins/database/index.ts'
import { emptyDatabase } from '../../support/database.ts'
import { tcpProxy } from '../../support/tcp-proxy.ts'

async function open(t: Test, url: URL): Promise<OpenDatabase> {
  const database = await openDatabase({ url: url.href, poolSize: 1, maxOverflow: 0 })
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

async function notes({ db }: OpenDatabase): Promise<string[]> {
  const { rows } = await sql<{ text: string }>`select text from notes`.execute(db)
  return rows.map(({ text }) => text)
}

t.test('without its BEGIN nothing of a transaction runs', async (t) => {
  const { url, direct } = await withNotes(t)
  const proxy = await tcpProxy(t, Number(url.port || 5432))
  url.port = String(proxy.port)
  const database = await open(t, url)
  proxy.replace('begin\0', 'bogus\0')
  const write = database.transaction((trx) => sql`insert into notes values (${'half'})`.execute(trx))
  await t.rejects(write, { message: /syntax error/ })
  t.same(await notes(direct), [])
})

t.test('a change and what waits for its commit take two round trips', async (t) => {
  const { url, direct } = await withNotes(t)
  const proxy = await tcpProxy(t, Number(url.port || 5432))
  url.port = String(proxy.port)
  const database = await open(t, url)
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
  t.ok(ms >= 400 && ms < 600, `${ms} ms`)
  t.same(await notes(direct), ['change', 'record', 'change', 'record'])
})

t.test('without its COMMIT nothing of a transaction stays', async (t) => {
  const { url, direct } = await withNotes(t)
  const proxy = await tcpProxy(t, Number(url.port || 5432))
  url.port = String(proxy.port)
  const database = await open(t, url)
  proxy.replace('commit\0', 'bogus!\0')
  const write = database.transaction(async (trx) => {
    database.beforeCommit(trx, CompiledQuery.raw('insert into notes values ($1)', ['record']))
    await sql`insert into notes values (${'change'})`.execute(trx)
  })
  await t.rejects(write, { message: /syntax error/ })
  t.same(await notes(direct), [])
  t.same((await sql`select 1 as one`.execute(database.db)).rows, [{ one: 1 }])
})

t.test('a first statement that cannot be parsed fails alone', async (t) => {
  const { url, direct } = await withNotes(t)
  const database = await open(t, url)
  const add = () => database.transaction((trx) => sql`insert into later values (${'a'})`.execute(trx))
  await t.rejects(add(), { code: '42P01' })
  await sql`create table later (text text)`.execute(direct.db)
  await add()
  await add()
  const many = database.transaction(async (trx) => {
    await sql.raw(`insert into later values ('b'); insert into later values ('c')`).execute(trx)
    throw new Error('half-way')
  })
  await t.rejects(many, { message: 'half-way' })
  const { rows } = await sql`select text from later`.execute(direct.db)
  t.same(rows, [{ text: 'a' }, { text: 'a' }], 'several statements in one text are in the transaction, too')
})
