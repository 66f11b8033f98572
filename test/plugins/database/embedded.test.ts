import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { sql } from 'kysely'
import t from 'tap'
import { openDatabase } from '../../../plugins/database/index.ts'
import { copyEmpty } from '../../support/embedded.ts'

const dataDir = join(t.testdir(), 'deep/data')
await copyEmpty(dataDir)

t.test('the data folder keeps what was written', async (t) => {
  const first = await openDatabase({ dataDir })
  await sql`create table kept as select 1 as id`.execute(first.db)
  await first.close()

  const second = await openDatabase({ dataDir })
  t.same((await sql`select id from kept`.execute(second.db)).rows, [{ id: 1 }])
  await second.close()
})

t.test('a folder in use is refused, with the process that uses it, and free after close', async (t) => {
  const first = await openDatabase({ dataDir })
  await t.rejects(openDatabase({ dataDir }), {
    message: `The database in ${dataDir} is in use by process ${process.pid}`
  })
  t.same((await sql`select id from kept`.execute(first.db)).rows, [{ id: 1 }], 'the one who has it is not disturbed')
  await first.close()
  t.notOk(existsSync(`${dataDir}.lock`))
})

t.test('a closed database answers 503, and close waits for the transaction under way', async (t) => {
  const database = await openDatabase({ dataDir })
  const work = database.transaction((trx) => sql`insert into kept values (2)`.execute(trx))
  await database.close()
  await t.resolves(work)
  await t.rejects(sql`select 1`.execute(database.db), { code: 'DATABASE_UNAVAILABLE' })

  const again = await openDatabase({ dataDir })
  t.same((await sql`select id from kept order by id`.execute(again.db)).rows, [{ id: 1 }, { id: 2 }])
  await again.close()
})

t.test('close answers whoever waits for the connection', async (t) => {
  const database = await openDatabase({ dataDir })
  const waiting = Array.from({ length: 20 }, (_, id) => sql`select ${id}::int as id`.execute(database.db))
  const [answers] = await Promise.all([Promise.all(waiting), database.close()])
  t.same(
    answers.map(({ rows }) => rows),
    waiting.map((_, id) => [{ id }])
  )
})

t.test('a session that somebody left in a transaction ends, and nothing of it stays', async (t) => {
  const database = await openDatabase({ dataDir })
  const named = () => sql`select ${1}::int as id`.execute(database.db)
  await named()
  await database.script(`begin; create table half_done (id int); set statement_timeout = 1234`)
  t.same((await named()).rows, [{ id: 1 }], 'a statement that had a name in it')
  await t.rejects(sql`select from half_done`.execute(database.db), { code: '42P01' })
  t.same((await sql`show statement_timeout`.execute(database.db)).rows, [{ statement_timeout: '0' }])
  await t.rejects(database.script('begin; select 1 / 0'), { code: '22012' })
  t.same((await named()).rows, [{ id: 1 }], 'nor in one that failed')
  await database.close()
})

t.test('a statement whose table was changed runs again with a new plan', async (t) => {
  const database = await openDatabase({ dataDir })
  await database.script('create table changing (id int); insert into changing values (7)')
  const read = () => sql`select * from changing where id = ${7}`.execute(database.db)
  await read()
  await database.script('alter table changing add note text')
  t.same((await read()).rows, [{ id: 7, note: null }])
  await database.script('alter table changing add more text')
  await database.transaction(async (trx) => {
    t.same((await sql`select * from changing where id = ${7}`.execute(trx)).rows, [{ id: 7, note: null, more: null }])
  })
  await database.close()
})

t.test('echo logs the SQL and never a value', async (t) => {
  const lines: object[] = []
  const logger = { info: (details: object) => void lines.push(details), error() {} }
  const database = await openDatabase({ dataDir, echo: true, logger })
  await sql`select ${'s3cret'}::text as value`.execute(database.db)
  await database.close()
  t.match(lines, [{ sql: /as value$/ }])
  t.notMatch(JSON.stringify(lines), 's3cret')
})
