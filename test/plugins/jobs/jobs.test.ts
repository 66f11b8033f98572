import { Type } from '@sinclair/typebox'
import Fastify from 'fastify'
import { sql } from 'kysely'
import t from 'tap'
import databasePlugin from '../../../plugins/database/index.ts'
import jobs, { type Job, jobsMigration } from '../../../plugins/jobs/index.ts'
import { emptyEmbedded } from '../../support/database.ts'
import { makeLedger } from './host.ts'
import { jobsSuite } from './suite.ts'

const database = await emptyEmbedded(t)
await database.db.transaction().execute((trx) => jobsMigration.up(trx))
await makeLedger(database.db)

jobsSuite(t, database, {})

t.test('schedules are those of the jobs there are', async (t) => {
  const payload = Type.Object({ n: Type.Integer() })
  const job: Job<'test.add'> = { name: 'test.add', payload, run: async () => {} }
  const start = async (job: Job<'test.add'>) => {
    const app = Fastify()
    await app.register(databasePlugin, { database })
    await app.register(jobs, { work: true, jobs: [job] })
    await app.ready()
    await app.close()
  }
  await start({ ...job, schedule: { cron: '17 * * * *', payload: { n: 1 } } })
  const kept = await sql`select name, cron, timezone, data from pgboss.schedule`.execute(database.db)
  await start(job)
  t.same(kept.rows, [{ name: 'test.add', cron: '17 * * * *', timezone: 'UTC', data: { n: 1 } }])
  t.same((await sql`select name from pgboss.schedule`.execute(database.db)).rows, [])
})

t.test('bad options stop the start and say what to do', async (t) => {
  const job: Job<'test.add'> = { name: 'test.add', payload: Type.Object({}), run: async () => {} }
  const register = async (options: object) => {
    const app = Fastify()
    await app.register(databasePlugin, { database })
    await app.register(jobs, { work: false, jobs: [job], ...options })
  }
  await t.rejects(register({ jobs: [job, job] }), { message: 'jobs: no name may appear twice' })
  await t.rejects(register({ jobs: [{ ...job, name: 'a b' }] }), { message: /1 to 60 letters.*: a b/ })
  await t.rejects(register({ heartbeatSeconds: 1 }), { message: 'jobs: heartbeatSeconds must be at least 10' })
  await t.rejects(register({ concurrency: 0 }), { message: 'jobs: concurrency must be at least 1' })
})

t.test('the migration leaves nothing behind when it is taken back', async (t) => {
  await jobsMigration.down(database.db)
  t.same((await sql`select 1 from pg_namespace where nspname = 'pgboss'`.execute(database.db)).rows, [])
})
