import { type Kysely, sql } from 'kysely'
import t from 'tap'
import { compiled } from '../../../db/compiled.ts'
import { migrateUp, migrationStatus } from '../../../db/migrate.ts'
import { openDatabase } from '../../../plugins/database/index.ts'
import { startBouncer } from '../../support/own-pgbouncer.ts'

const { url } = await startBouncer(t)

t.test('behind PgBouncer named statements and startup parameters are refused: why there is a switch', async (t) => {
  await t.rejects(openDatabase({ url }), { message: /unsupported startup parameter/ })
})

t.test('without named statements everything works through PgBouncer in transaction mode', async (t) => {
  const database = await openDatabase({ url, preparedStatements: false, poolSize: 8, statementTimeoutMs: 200 })
  t.teardown(() => database.close())
  const { db } = database
  await sql`create table marks (id int primary key)`.execute(db)

  const ids = Array.from({ length: 60 }, (_, id) => id)
  await Promise.all(ids.map((id) => database.transaction((trx) => sql`insert into marks values (${id})`.execute(trx))))
  const selectMark = compiled(
    (db: Kysely<{ marks: { id: number } }>, { id }: { id: number }) =>
      db.selectFrom('marks').select('id').where('id', '=', id),
    { shortRead: true }
  )
  const reader = db.withTables<{ marks: { id: number } }>()
  const rows = await Promise.all(ids.map((id) => selectMark.executeTakeFirst(reader, { id })))
  t.same(
    rows,
    ids.map((id) => ({ id }))
  )

  const slow = database.transaction((trx) => sql`select pg_sleep(5)`.execute(trx))
  await t.rejects(slow, { code: '57014' }, 'timeouts hold inside transactions')
  await t.rejects(
    database.write((trx) => sql`insert into marks select 1000 from pg_sleep(5)`.execute(trx)),
    { code: '57014' },
    'and a write of one statement is inside one'
  )
  const { rows: settings } = await sql`select current_setting('statement_timeout') as ms`.execute(db)
  t.same(settings, [{ ms: '0' }], 'and do not leak into the sessions of others')
})

t.test('migrations run through PgBouncer, two starters at once', async (t) => {
  const open = () => openDatabase({ url, preparedStatements: false })
  const [first, second] = await Promise.all([open(), open()])
  t.teardown(() => Promise.all([first.close(), second.close()]))
  const done = await Promise.all([migrateUp(first.db), migrateUp(second.db)])
  const status = await migrationStatus(first.db)
  t.same(
    done.flat().sort(),
    status.map(({ name }) => name),
    'each migration ran once'
  )
})
