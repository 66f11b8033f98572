import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import t, { type Test } from 'tap'
import { compiled } from '../../../db/compiled.ts'
import { openDatabase, type PostgresOptions } from '../../../plugins/database/index.ts'
import { adminUrl, emptyDatabase } from '../../support/database.ts'

async function open(t: Test, options: Partial<PostgresOptions> = {}) {
  const database = await openDatabase({ url: adminUrl, poolSize: 1, maxOverflow: 0, ...options })
  t.teardown(() => database.close())
  return database
}

const selectOne = sql<{ one: number }>`select 1 as one`
const backendPid = sql<{ pid: number }>`select pg_backend_pid() as pid`

/** Holds one pool connection until the returned function is called. */
function hold(database: Awaited<ReturnType<typeof open>>): () => Promise<void> {
  const done = Promise.withResolvers<void>()
  const work = database.transaction(() => done.promise)
  return () => {
    done.resolve()
    return work
  }
}

t.test('an exhausted pool rejects with DatabaseBusy and Retry-After after the acquire timeout', async (t) => {
  const database = await open(t, { acquireTimeoutMs: 100 })
  const release = hold(database)
  const busy = { code: 'DATABASE_BUSY', statusCode: 503, headers: { 'Retry-After': '1' } }
  await t.rejects(selectOne.execute(database.db), busy)
  await t.rejects(
    database.transaction(async () => {}),
    busy
  )
  await release()
  t.same((await selectOne.execute(database.db)).rows, [{ one: 1 }], 'and heals')
})

t.test('short reads and the health check pass an exhausted pool', async (t) => {
  const database = await open(t, { acquireTimeoutMs: 100 })
  const release = hold(database)
  const selectType = compiled(
    (db: typeof database.db, { name }: { name: string }) =>
      db
        .withTables<{ pg_type: { typname: string } }>()
        .selectFrom('pg_type')
        .select('typname')
        .where('typname', '=', name),
    { shortRead: true }
  )
  t.same(await selectType.execute(database.db, { name: 'uuid' }), [{ typname: 'uuid' }])
  await t.resolves(database.check())
  await release()
})

t.test('many short reads at once share the readers and get their own rows', async (t) => {
  const database = await open(t)
  const shortRead = { shortRead: true }
  const selectById = compiled(
    (db: typeof database.db, { id }: { id: number }) =>
      db.withTables<{ pg_type: { oid: number } }>().selectFrom('pg_type').select('oid').where('oid', '=', id),
    shortRead
  )
  const ids = (await sql<{ oid: number }>`select oid from pg_type limit 300`.execute(database.db)).rows
  const rows = await Promise.all(ids.map(({ oid }) => selectById.executeTakeFirst(database.db, { id: oid })))
  t.same(rows, ids)
})

t.test('a statement past statement_timeout fails with 57014, a lock past lock_timeout with 55P03', async (t) => {
  const database = await open(t, { poolSize: 2, statementTimeoutMs: 100, lockTimeoutMs: 50 })
  await t.rejects(sql`select pg_sleep(5)`.execute(database.db), { code: '57014' })
  await database.transaction(async (trx) => {
    await sql`select pg_advisory_xact_lock(4711)`.execute(trx)
    const other = await open(t, { lockTimeoutMs: 50 })
    await t.rejects(sql`select pg_advisory_xact_lock(4711)`.execute(other.db), { code: '55P03' })
  })
})

t.test('a transaction that idles too long is ended by the server: 503, nothing left, the pool goes on', async (t) => {
  const database = await open(t, { idleInTransactionTimeoutMs: 50 })
  const work = database.transaction(async (trx) => {
    await selectOne.execute(trx)
    await sleep(150)
    await selectOne.execute(trx)
  })
  await t.rejects(work, { code: 'DATABASE_UNAVAILABLE', statusCode: 503 })
  t.same((await selectOne.execute(database.db)).rows, [{ one: 1 }])
})

t.test('a connection whose session was left inside a transaction is not handed to the next', async (t) => {
  const database = await open(t)
  const [before] = (await backendPid.execute(database.db)).rows
  await sql`begin`.execute(database.db)
  const [after] = (await backendPid.execute(database.db)).rows
  t.not(after?.pid, before?.pid)
})

t.test('a failed statement does not cost its connection', async (t) => {
  const database = await open(t)
  const [before] = (await backendPid.execute(database.db)).rows
  await t.rejects(sql`select ${'x'}::int`.execute(database.db), { code: '22P02' })
  const [after] = (await backendPid.execute(database.db)).rows
  t.equal(after?.pid, before?.pid)
})

t.test('a server that takes no writes, like an old primary, is 503 and loses its connection', async (t) => {
  const url = `${adminUrl}?options=${encodeURIComponent('-c default_transaction_read_only=on')}`
  const database = await open(t, { url })
  const [before] = (await backendPid.execute(database.db)).rows
  const write = sql`create table never (id int)`
  await t.rejects(write.execute(database.db), { code: 'DATABASE_UNAVAILABLE', cause: { code: '25006' } })
  const [after] = (await backendPid.execute(database.db)).rows
  t.not(after?.pid, before?.pid)
  await t.rejects(
    database.transaction((trx) => write.execute(trx)),
    { code: 'DATABASE_UNAVAILABLE' }
  )
})

t.test('an idle connection that the server ends is one short line in the log, and is replaced', async (t) => {
  const lines: object[] = []
  const logger = { info() {}, error: (details: object) => void lines.push(details) }
  const database = await open(t, { logger })
  const [before] = (await backendPid.execute(database.db)).rows
  const other = await open(t)
  await sql`select pg_terminate_backend(${before?.pid})`.execute(other.db)
  for (let attempt = 0; attempt < 100 && lines.length === 0; attempt++) await sleep(10)
  t.same(lines, [{ reason: 'terminating connection due to administrator command' }])
  const [after] = (await backendPid.execute(database.db)).rows
  t.not(after?.pid, before?.pid)
})

t.test('a connection is replaced at its recycle age', async (t) => {
  const database = await open(t, { recycleSeconds: 0.05 })
  const [before] = (await backendPid.execute(database.db)).rows
  await sleep(150)
  const [after] = (await backendPid.execute(database.db)).rows
  t.not(after?.pid, before?.pid)
  await t.resolves(database.check(), 'and so is a reader')
})

t.test('a changed result type is planned anew, and nobody notices', async (t) => {
  const database = await open(t, { url: await emptyDatabase(t), poolSize: 3 })
  const { db } = database
  await sql`create table plans (id int primary key, a int)`.execute(db)
  await sql`insert into plans values (1, 1)`.execute(db)
  const select = <DB>(to: typeof db | DB) => sql`select * from plans where id = ${1}`.execute(to as typeof db)
  await Promise.all([select(db), select(db), select(db)])
  await sql`alter table plans add column b text`.execute(db)
  const results = await Promise.all([select(db), select(db), select(db)])
  for (const { rows } of results) t.same(rows, [{ id: 1, a: 1, b: null }])

  await sql`alter table plans drop column a`.execute(db)
  const { rows } = await database.transaction((trx) => select(trx))
  t.same(rows, [{ id: 1, b: null }], 'in a transaction too')
})

t.test('statements that the server forgot are prepared again', async (t) => {
  const database = await open(t)
  const select = () => sql`select ${1}::int as one`.execute(database.db)
  await select()
  await sql`deallocate all`.execute(database.db)
  t.same((await select()).rows, [{ one: 1 }])
})

t.test('parameterised statements are prepared by name, unless that is switched off', async (t) => {
  const countNamed = async (database: Awaited<ReturnType<typeof open>>) => {
    await sql`select ${1}::int as one`.execute(database.db)
    const { rows } = await sql<{ count: number }>`select count(*) from pg_prepared_statements`.execute(database.db)
    return rows[0]?.count
  }
  t.equal(await countNamed(await open(t)), 1)
  t.equal(await countNamed(await open(t, { preparedStatements: false })), 0)
})

t.test('without startup parameters the timeouts hold inside transactions', async (t) => {
  const database = await open(t, { preparedStatements: false, statementTimeoutMs: 100 })
  const work = database.transaction((trx) => sql`select pg_sleep(5)`.execute(trx))
  await t.rejects(work, { code: '57014' })
})

t.test('overflow connections open under load and stay within poolSize + maxOverflow', async (t) => {
  const database = await open(t, { poolSize: 1, maxOverflow: 2 })
  await Promise.all(Array.from({ length: 12 }, () => sql`select pg_sleep(0.02)`.execute(database.db)))
  t.match(database.stats(), { size: 3, idle: 3, waiting: 0 })
})

t.test('echo logs the SQL and never a value', async (t) => {
  const lines: object[] = []
  const logger = { info: (details: object) => void lines.push(details), error() {} }
  const database = await open(t, { echo: true, logger })
  await sql`select ${'s3cret'}::text as value`.execute(database.db)
  await database.transaction((trx) => sql`select ${'s3cret'}::text as inside`.execute(trx))
  t.match(lines, [
    { sql: 'select 1' },
    { sql: /as value$/ },
    { sql: 'begin' },
    { sql: /as inside$/ },
    { sql: 'commit' }
  ])
  t.notMatch(JSON.stringify(lines), 's3cret')
})

t.test('the server sees the application by name', async (t) => {
  const database = await open(t, { applicationName: 'pool-test' })
  const { rows } = await sql`select current_setting('application_name') as name`.execute(database.db)
  t.same(rows, [{ name: 'pool-test' }])
})

t.test('a server that cannot be reached is named with the reason, without the password', async (t) => {
  const attempt = openDatabase({ url: 'postgres://me:s3cret@127.0.0.1:1/app' })
  await t.rejects(attempt, { message: /^The database at 127\.0\.0\.1:1\/app cannot be reached: .*ECONNREFUSED/ })
  const missing = openDatabase({ url: adminUrl.replace(/\/[^/]*$/, '/no_such_database') })
  await t.rejects(missing, {
    message: /no_such_database cannot be reached: database "no_such_database" does not exist/
  })
})

t.test('close ends every session, and may be called twice', async (t) => {
  const database = await openDatabase({ url: adminUrl, applicationName: 'closing-test' })
  await selectOne.execute(database.db)
  await Promise.all([database.close(), database.close()])
  const observer = await open(t)
  const left = sql<{ count: number }>`select count(*) from pg_stat_activity where application_name = 'closing-test'`
  for (let attempt = 0; attempt < 50 && (await left.execute(observer.db)).rows[0]?.count !== 0; attempt++)
    await sleep(10)
  t.same((await left.execute(observer.db)).rows, [{ count: 0 }])
  await t.rejects(selectOne.execute(database.db), { code: 'DATABASE_UNAVAILABLE' })
})
