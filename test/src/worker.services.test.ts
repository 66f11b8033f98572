import { sql } from 'kysely'
import t from 'tap'
import { buildWorker } from '../../src/app.ts'
import { testConfig } from '../support/app.ts'
import { testDatabase } from '../support/database.ts'

t.test('a worker, which serves no API, does the clean-up as a job and keeps its schedule', async (t) => {
  const { url } = await testDatabase(t, 'services')
  const worker = await buildWorker(testConfig(t, { DATABASE_URL: url }))
  t.teardown(() => worker.close())
  await worker.ready()

  const id = await worker.database.transaction((trx) => worker.jobs.enqueue(trx, 'clean_up', {}))

  const job = sql<{ state: string; output: object | null }>`select state, output from pgboss.job where id = ${id}`
  const deadline = Date.now() + 20_000
  let found = (await job.execute(worker.db)).rows
  while (found[0]?.output === null && Date.now() < deadline) found = (await job.execute(worker.db)).rows
  t.match(found, [{ state: 'completed', output: { result: { sessions: 0, changes: 0 } } }])
  t.match((await sql`select name, cron from pgboss.schedule`.execute(worker.db)).rows, [{ name: 'clean_up' }])
  t.equal((await worker.inject('/health/ready')).statusCode, 200)
  t.equal((await worker.inject('/api/v1/todos')).statusCode, 404)
})
