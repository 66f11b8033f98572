import t from 'tap'
import { emptyEmbedded } from '../../support/database.ts'
import { rowsSuite } from './rows-suite.ts'
import { transactionEndSuite } from './transaction-end-suite.ts'
import { transactionSuite } from './transaction-suite.ts'
import { writeSuite } from './write-suite.ts'

const database = await emptyEmbedded(t, { transactionTimeoutMs: 300 })

t.equal(database.kind, 'embedded')
rowsSuite(t, database)
transactionSuite(t, database)
transactionEndSuite(t, database)
writeSuite(t, database)

t.test('stats count the one connection there is', async (t) => {
  t.same(database.stats(), { size: 1, idle: 1, waiting: 0 })
  await database.transaction(async () => t.same(database.stats(), { size: 1, idle: 0, waiting: 0 }))
})

t.test('the health check passes while a transaction holds the connection', async (t) => {
  await t.resolves(database.transaction(async () => database.check()))
})
