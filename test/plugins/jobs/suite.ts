import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import type { Test } from 'tap'
import type { OpenDatabase } from '../../../plugins/database/index.ts'
import type { JobPayloads, JobsOptions } from '../../../plugins/jobs/index.ts'
import { checkCommits } from './commits.ts'
import { createWork, ledger, startJobs, until } from './host.ts'

/** What jobs promise on both databases, with the migration and the table `ledger` in place. */
export function jobsSuite(t: Test, database: OpenDatabase, options: Omit<JobsOptions, 'jobs' | 'work'>): void {
  const start = (t: Test, more: Partial<JobsOptions> = {}) =>
    startJobs(t, database, { ...options, work: true, ...more })
  const state = async (id: string | null) =>
    (await sql<{ state: string }>`select state from pgboss.job where id = ${id}`.execute(database.db)).rows[0]?.state

  t.test('a commit leaves exactly one job, a rollback none', (t) => checkCommits(t, database, 20))

  t.test('the effect, the result and the end of a job are one transaction', async (t) => {
    const { app } = await start(t)
    const id = await database.transaction((trx) => app.jobs.enqueue(trx, 'test.add', { n: 41 }))
    await until(async () => (await state(id)) === 'completed')
    t.same(
      (await ledger(app)).filter(({ job_id }) => job_id === id),
      [{ job_id: id, n: 41 }]
    )
    t.match(await app.jobs.find('test.add', id ?? ''), { state: 'completed', attempts: 1, result: { sum: 42 } })
    t.equal(await app.jobs.find('test.add', randomUUID()), undefined)
  })

  t.test('many jobs are enqueued with one statement, all or none', async (t) => {
    const { app, work } = await start(t)
    const enqueue = (ns: unknown[]) =>
      database.transaction((trx) => {
        const payloads = ns.map((n) => ({ n })) as Array<JobPayloads['test.add']>
        return app.jobs.enqueueMany(trx, 'test.add', payloads)
      })
    await t.rejects(enqueue([1, 'two']), { code: 'JOB_PAYLOAD_INVALID' })
    t.same(await enqueue([]), [])
    const ids = await enqueue([...Array(30).keys()])
    await until(() => work.runs.length === 30)
    t.same(work.runs.map(({ id }) => id).sort(), ids.sort())
  })

  t.test('a job tells how far it is while it runs', async (t) => {
    const { app, work } = await start(t)
    const id = (await database.transaction((trx) => app.jobs.enqueue(trx, 'test.slow', { n: 3 }))) ?? ''
    await until(async () => (await app.jobs.find('test.slow', id))?.progress !== null)
    t.match(await app.jobs.find('test.slow', id), {
      state: 'running',
      attempts: 1,
      progress: { done: 3 },
      result: null
    })
    work.release()
    await until(async () => (await state(id)) === 'completed')
    t.match(await app.jobs.find('test.slow', id), { progress: null, error: null })
  })

  t.test('a payload that does not fit is refused when it is enqueued, and leaves nothing', async (t) => {
    const { app } = await start(t, { work: false })
    const enqueue = (payload: unknown) =>
      database.transaction((trx) => app.jobs.enqueue(trx, 'test.add', payload as JobPayloads['test.add']))
    await t.rejects(enqueue({ n: '1' }), {
      code: 'JOB_PAYLOAD_INVALID',
      message: 'Job test.add: payload/n must be integer'
    })
    await t.rejects(enqueue({ n: 1, more: true }), { code: 'JOB_PAYLOAD_INVALID' })
    await t.rejects(enqueue(null), { code: 'JOB_PAYLOAD_INVALID' })
    await t.rejects(
      database.transaction((trx) => app.jobs.enqueue(trx, 'test.none' as 'test.add', { n: 1 })),
      { code: 'JOB_UNKNOWN' }
    )
  })

  t.test('a payload that no longer fits is not tried again', async (t) => {
    const { app } = await start(t, { work: false })
    const id = await database.transaction((trx) => app.jobs.enqueue(trx, 'test.add', { n: 7 }))
    await sql`update pgboss.job set data = '{"n":"seven"}' where id = ${id}`.execute(app.db)
    const { work } = await start(t)
    await until(async () => (await state(id)) === 'failed')
    t.same(work.runs, [], 'the job never saw it')
  })

  t.test('a job that fails is tried again, then it is dead and told so once; revived, it runs once more', async (t) => {
    const { app, work } = await start(t)
    const id = (await database.transaction((trx) => app.jobs.enqueue(trx, 'test.poison', { n: 1 }))) ?? ''
    await until(async () => (await state(id)) === 'failed')
    t.match(await app.jobs.find('test.poison', id), { state: 'dead', attempts: 3, error: 'poisoned', result: null })
    await until(async () => (await ledger(app)).some(({ job_id, n }) => job_id === id && n === -1))
    t.same(work.deaths, [{ id, payload: { n: 1 }, attempts: 3, error: 'poisoned' }])
    t.same(
      work.runs.map(({ attempt }) => attempt),
      [1, 2, 3]
    )
    t.match(
      (await app.jobs.figures()).find(({ job }) => job === 'test.poison'),
      { waiting: 0, running: 0, dead: 1 }
    )
    const other = await database.transaction((trx) => app.jobs.enqueue(trx, 'test.add', { n: 2 }))
    await until(async () => (await state(other)) === 'completed')

    work.isPoisoned = false
    t.equal(await database.transaction((trx) => app.jobs.revive(trx, 'test.poison', id)), true)
    await until(async () => (await state(id)) === 'completed')
    t.equal(await database.transaction((trx) => app.jobs.revive(trx, 'test.poison', id)), false, 'it is dead no more')
    t.equal(await database.transaction((trx) => app.jobs.revive(trx, 'test.poison', randomUUID())), false)
  })

  t.test('nobody is told of a death when the job was revived before', async (t) => {
    const { app, work } = await start(t)
    await sql`insert into pgboss.job (name, data, source_id) values ('test.poison.dead', '{}', ${randomUUID()})`.execute(
      app.db
    )
    const letters = sql`select 1 from pgboss.job where name = 'test.poison.dead' and state <> 'completed'`
    await until(async () => (await letters.execute(app.db)).rows.length === 0)
    t.same(work.deaths, [])
  })

  t.test('of a unique job there is one per key that waits or runs', async (t) => {
    const { app, work } = await start(t, { work: false })
    const enqueue = (key?: string) =>
      database.transaction((trx) => app.jobs.enqueue(trx, 'test.once', { n: 1 }, key === undefined ? {} : { key }))
    await t.rejects(enqueue(), { code: 'JOB_PAYLOAD_INVALID' })
    t.ok(await enqueue('a'))
    t.equal(await enqueue('a'), null)
    t.ok(await enqueue('b'))
    t.same(work.runs, [])
    await sql`delete from pgboss.job`.execute(app.db)
  })

  t.test('a job waits for its time, goes before others by its priority, and can be taken back', async (t) => {
    const { app } = await start(t, { work: false })
    const enqueue = (n: number, more: object) =>
      database.transaction((trx) => app.jobs.enqueue(trx, 'test.slow', { n }, more))
    const later = await enqueue(1, { delaySeconds: 3600 })
    const low = (await enqueue(2, { priority: -1 })) ?? ''
    const high = await enqueue(3, { priority: 9 })
    t.match(
      (await app.jobs.figures()).find(({ job }) => job === 'test.slow'),
      { waiting: 2, delayed: 1 }
    )
    t.equal(await database.transaction((trx) => app.jobs.cancel(trx, 'test.slow', low)), true)
    t.equal(await database.transaction((trx) => app.jobs.cancel(trx, 'test.slow', randomUUID())), false)

    const { work } = await start(t)
    work.release()
    await until(async () => (await state(high)) === 'completed')
    t.same(
      work.runs.map(({ id }) => id),
      [high]
    )
    t.equal(await state(later), 'created')
    t.equal(await state(low), 'cancelled')
    await sql`delete from pgboss.job`.execute(app.db)
  })

  t.test('a job that is cancelled while it runs leaves nothing behind', async (t) => {
    const { app, work } = await start(t)
    const id = (await database.transaction((trx) => app.jobs.enqueue(trx, 'test.slow', { n: 5 }))) ?? ''
    await until(() => work.runs.length === 1)
    t.equal(await database.transaction((trx) => app.jobs.cancel(trx, 'test.slow', id)), true)
    work.release()
    await app.close()
    const { rows } = await sql`select from ledger where job_id = ${id}`.execute(database.db)
    t.same([await state(id), rows.length], ['cancelled', 0])
  })

  t.test('a stop waits for what runs, and hands back what takes too long', async (t) => {
    const first = await start(t, { stopTimeoutMs: 10_000 })
    const id = await database.transaction((trx) => first.app.jobs.enqueue(trx, 'test.slow', { n: 1 }))
    await until(() => first.work.runs.length === 1)
    const closing = first.app.close()
    first.work.release()
    await closing
    t.equal(await state(id), 'completed')

    const stuck = await start(t, { stopTimeoutMs: 50 })
    const other = await database.transaction((trx) => stuck.app.jobs.enqueue(trx, 'test.slow', { n: 2 }))
    await until(() => stuck.work.runs.length === 1)
    await stuck.app.close()
    const { rows } = await sql`
      select state, retry_limit - retry_count as left, start_after <= now() as now from pgboss.job where id = ${other}`.execute(
      database.db
    )
    t.same(rows, [{ state: 'retry', left: 6, now: true }], 'it may be run at once, and the stop is not its failure')
    // What the abandoned run still tries must not count any more.
    stuck.work.release()
    const { app } = await startJobs(t, database, { ...options, work: true }, released())
    await until(async () => (await state(other)) === 'completed')
    t.equal((await ledger(app)).filter(({ job_id }) => job_id === other).length, 1)
  })
}

function released() {
  const work = createWork()
  work.release()
  return work
}

export async function countJobs({ db }: OpenDatabase): Promise<number> {
  const { rows } = await sql<{ count: number }>`select count(*) as count from pgboss.job`.execute(db)
  return rows[0]?.count ?? 0
}
