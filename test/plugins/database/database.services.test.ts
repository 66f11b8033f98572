import { sql } from 'kysely'
import pg from 'pg'
import t from 'tap'
import { openDatabase } from '../../../plugins/database/index.ts'
import { emptyDatabase } from '../../support/database.ts'
import { rowsSuite } from './rows-suite.ts'
import { transactionEndSuite } from './transaction-end-suite.ts'
import { transactionSuite } from './transaction-suite.ts'
import { writeSuite } from './write-suite.ts'

const url = await emptyDatabase(t)
const database = await openDatabase({ url, poolSize: 2, maxOverflow: 0, transactionTimeoutMs: 300 })
t.teardown(() => database.close())

t.equal(database.kind, 'postgres')
rowsSuite(t, database)
transactionSuite(t, database)
transactionEndSuite(t, database)
writeSuite(t, database)

t.test("other users of the driver keep the driver's own parsers", async (t) => {
  await sql`select 1::int8`.execute(database.db)
  const client = new pg.Client(url)
  await client.connect()
  const { rows } = await client.query('select 1::int8 as big').finally(() => client.end())
  t.strictSame(rows, [{ big: '1' }])
})
