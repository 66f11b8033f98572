import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import Fastify from 'fastify'
import { sql } from 'kysely'
import t, { type Test } from 'tap'
import databasePlugin, { openDatabase } from '../../../plugins/database/index.ts'
import jobs, { jobsMigration } from '../../../plugins/jobs/index.ts'
import { emptyDatabase } from '../../support/database.ts'
import { startBouncer } from '../../support/own-pgbouncer.ts'
import { checkCommits } from './commits.ts'
import { ledger, makeLedger, startJobs, until } from './host.ts'
import { long } from './process.ts'

t.setTimeout(300_000)

async function setUp(t: Test, url: string) {
  const database = await openDatabase({ url })
  t.teardown(() => database.close())
  await database.db.transaction().execute((trx) => jobsMigration.up(trx))
  await makeLedger(database.db)
  return database
}

/** A worker process; resolves when it begins a run. */
function startWorker(t: Test, url: string, stopTimeoutMs: number) {
  const child = fork(join(import.meta.dirname, 'process.ts'), [url, String(stopTimeoutMs)])
  t.teardown(() => child.kill('SIGKILL'))
  return child
}

const begun = async (worker: ChildProcess) => (await once(worker, 'message'))[0] as { id: string; attempt: number }

/** The milliseconds until it has ended. */
async function terminate(worker: ChildProcess): Promise<{ code: number; ms: number }> {
  const startedAt = performance.now()
  const exit = once(worker, 'exit')
  worker.kill('SIGTERM')
  const [code] = await exit
  return { code, ms: performance.now() - startedAt }
}

t.test('1000 times: a commit leaves exactly one job, a rollback none', async (t) => {
  await checkCommits(t, await setUp(t, await emptyDatabase(t)), 1000)
})

t.test('a worker that is stopped during a job of 20 s finishes it, or hands it back at once', async (t) => {
  const url = await emptyDatabase(t)
  const database = await setUp(t, url)
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(databasePlugin, { database })
  await app.register(jobs, { jobs: [long], work: false })
  await app.ready()
  const enqueue = (seconds: number) => database.transaction((trx) => app.jobs.enqueue(trx, 'test.long', { seconds }))

  const patient = startWorker(t, url, 30_000)
  await enqueue(20)
  await begun(patient)
  const finished = await terminate(patient)
  t.equal(finished.code, 0)
  t.ok(finished.ms > 10_000, `after ${finished.ms} ms`)
  t.match(await ledger(app), [{ n: 1 }], 'done in the first run')

  const hasty = startWorker(t, url, 200)
  const id = await enqueue(20)
  await begun(hasty)
  const other = startWorker(t, url, 30_000)
  await once(other, 'spawn')
  const handedBack = await terminate(hasty)
  const startedAt = performance.now()
  t.equal(handedBack.code, 0)
  t.ok(handedBack.ms < 3000, `after ${handedBack.ms} ms`)
  t.match(await begun(other), { id, attempt: 2 })
  const waitedMs = performance.now() - startedAt
  t.comment(`finished after ${finished.ms} ms; handed back after ${handedBack.ms} ms, taken up after ${waitedMs} ms`)
  t.ok(waitedMs < 5000)
  await until(async () => (await ledger(app)).length === 2, 40_000)
  t.match((await ledger(app))[1], { job_id: id, n: 2 })
})

t.test('behind PgBouncer in transaction mode workers look for jobs, and run each once', async (t) => {
  const { url, direct } = await startBouncer(t)
  const setup = await setUp(t, direct)
  const database = await openDatabase({ url, preparedStatements: false })
  t.teardown(() => database.close())
  const connection = { url, listen: false }
  const { app, work } = await startJobs(t, database, { work: true, connection })
  const others = await startJobs(t, database, { work: true, connection })
  for (let n = 0; n < 50; n++) {
    await database.transaction((trx) => app.jobs.enqueue(trx, 'test.add', { n }))
  }
  await until(async () => (await ledger(app)).length === 50)
  t.equal(work.runs.length + others.work.runs.length, 50)
  const { rows } = await sql`select from pgboss.job where state <> 'completed'`.execute(setup.db)
  t.equal(rows.length, 0)
})
