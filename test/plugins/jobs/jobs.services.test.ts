import t from 'tap'
import { openDatabase } from '../../../plugins/database/index.ts'
import { jobsMigration } from '../../../plugins/jobs/index.ts'
import { emptyDatabase } from '../../support/database.ts'
import { ledger, makeLedger, startJobs, until } from './host.ts'
import { countJobs, jobsSuite } from './suite.ts'

const url = await emptyDatabase(t)
const database = await openDatabase({ url })
t.teardown(() => database.close())
await database.db.transaction().execute((trx) => jobsMigration.up(trx))
await makeLedger(database.db)
const connection = { url }

jobsSuite(t, database, { connection })

t.test('another process hears of a job at once, and two workers do each one once', async (t) => {
  const api = await startJobs(t, database, { work: false })
  // Looking for jobs would take longer than the test waits.
  const workers = await Promise.all(
    [1, 2].map(() => startJobs(t, database, { work: true, connection, pollSeconds: 3600 }))
  )
  for (let round = 0; round < 5; round++) {
    await database.transaction(async (trx) => {
      for (let n = 0; n < 10; n++) await api.app.jobs.enqueue(trx, 'test.add', { n: 1000 + n })
    })
  }
  const own = async () => (await ledger(api.app)).filter(({ n }) => n >= 1000)
  await until(async () => (await own()).length >= 50)
  t.equal(workers.flatMap(({ work }) => work.runs).length, 50)
  t.equal(new Set((await own()).map(({ job_id }) => job_id)).size, 50)
})

t.test('a worker on PostgreSQL wants connections of its own', async (t) => {
  await t.rejects(startJobs(t, database, { work: true }), { message: /needs the option connection/ })
  t.ok((await countJobs(database)) > 0)
})
