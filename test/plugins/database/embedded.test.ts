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

t.test('echo logs the SQL and never a value', async (t) => {
  const lines: object[] = []
  const logger = { info: (details: object) => void lines.push(details), error() {} }
  const database = await openDatabase({ dataDir, echo: true, logger })
  await sql`select ${'s3cret'}::text as value`.execute(database.db)
  await database.close()
  t.match(lines, [{ sql: /as value$/ }])
  t.notMatch(JSON.stringify(lines), 's3cret')
})
