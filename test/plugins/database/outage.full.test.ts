import { setTimeout as sleep } from 'node:timers/promises'
import { type Kysely, sql } from 'kysely'
import t, { type Test } from 'tap'
import { compiled } from '../../../db/compiled.ts'
import {
  DatabaseUnavailable,
  type OpenDatabase,
  openDatabase,
  type PostgresOptions
} from '../../../plugins/database/index.ts'
import { startPostgres } from '../../support/own-postgres.ts'

type Marks = { marks: { id: number } }

async function start(t: Test, options: Partial<PostgresOptions> = {}) {
  const server = await startPostgres(t)
  const database = await openDatabase({
    url: server.url,
    poolSize: 4,
    maxOverflow: 0,
    connectTimeoutMs: 500,
    ...options
  })
  t.teardown(() => {
    server.thaw()
    return database.close()
  })
  await sql`create table marks (id int primary key)`.execute(database.db)
  return { server, database }
}

const selectMark = compiled(
  (db: Kysely<Marks>, { id }: { id: number }) => db.selectFrom('marks').select('id').where('id', '=', id),
  { shortRead: true }
)

/** Reads, writes and short reads without pause until `stop`; tells which errors came and what was acknowledged. */
function load(database: OpenDatabase) {
  const db = database.db.withTables<Marks>()
  const acknowledged: number[] = []
  const errors: unknown[] = []
  let isStopped = false
  let next = 0
  const kinds: Array<() => Promise<unknown>> = [
    () => sql`select 1`.execute(database.db),
    () => selectMark.execute(db, { id: 1 }),
    async () => {
      const id = next++
      await database.transaction((trx) => sql`insert into marks values (${id})`.execute(trx))
      acknowledged.push(id)
    }
  ]
  const workers = [...kinds, ...kinds].map(async (run) => {
    while (!isStopped) {
      await run().catch((error) => errors.push(error))
      await sleep(2)
    }
  })
  return {
    errors,
    async stop() {
      isStopped = true
      await Promise.all(workers)
      const { rows } = await sql<{ id: number }>`select id from marks`.execute(database.db)
      const found = new Set(rows.map(({ id }) => id))
      return { acknowledged: acknowledged.length, missing: acknowledged.filter((id) => !found.has(id)) }
    }
  }
}

for (const mode of ['fast', 'immediate'] as const) {
  t.test(`a server restarted (${mode}) costs 503s only, loses nothing and is back within a second`, async (t) => {
    const { server, database } = await start(t)
    const traffic = load(database)
    await sleep(300)
    await server.stop(mode)
    await t.rejects(database.check(), { code: 'DATABASE_UNAVAILABLE' })
    await sleep(200)
    await server.start()
    await sleep(1000)
    const errors = traffic.errors.splice(0)
    t.ok(errors.length > 5)
    t.same(
      errors.filter((error) => !(error instanceof DatabaseUnavailable)),
      [],
      'nothing but 503'
    )

    await sleep(300)
    t.same(traffic.errors, [], 'a second after it is back nothing fails')
    const { acknowledged, missing } = await traffic.stop()
    t.ok(acknowledged > 20)
    t.same(missing, [])
  })
}

t.test('a server that is silent costs the deadlines, then 503, and serves again when it wakes', async (t) => {
  const { server, database } = await start(t, { statementTimeoutMs: 500 })
  const db = database.db.withTables<Marks>()
  await Promise.all([sql`select 1`.execute(db), selectMark.execute(db, { id: 1 })])
  server.freeze()

  const startedAt = performance.now()
  const unavailable = { code: 'DATABASE_UNAVAILABLE' }
  await Promise.all([
    t.rejects(sql`select 1`.execute(db), unavailable, 'a statement'),
    t.rejects(selectMark.execute(db, { id: 1 }), unavailable, 'a short read'),
    t.rejects(
      database.transaction((trx) => sql`select 1`.execute(trx)),
      unavailable,
      'a transaction'
    ),
    t.rejects(database.check(), unavailable, 'the health check')
  ])
  t.ok(performance.now() - startedAt < 2500, 'statement timeout plus a second of margin')

  server.thaw()
  await sleep(1000)
  await t.resolves(sql`select 1`.execute(db))
  await t.resolves(selectMark.execute(db, { id: 1 }))
  await t.resolves(database.check())
})

t.test('close does not wait for a silent server', async (t) => {
  const { server, database } = await start(t)
  await sql`select 1`.execute(database.db)
  server.freeze()
  const startedAt = performance.now()
  await database.close()
  t.ok(performance.now() - startedAt < 2000)
})

t.test('a server without a free connection slot answers 503, not an error of its own', async (t) => {
  const server = await startPostgres(t, { max_connections: '5', superuser_reserved_connections: '0' })
  const database = await openDatabase({ url: server.url, readers: 1, poolSize: 8, maxOverflow: 0 })
  t.teardown(() => database.close())
  const outcomes = await Promise.allSettled(
    Array.from({ length: 8 }, () => sql`select pg_sleep(0.2)`.execute(database.db))
  )
  const reasons = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []))
  t.ok(reasons.length > 0)
  for (const reason of reasons) t.match(reason, { code: 'DATABASE_UNAVAILABLE', cause: { code: '53300' } })
  await t.resolves(sql`select 1`.execute(database.db))
})
