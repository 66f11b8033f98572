import { sql } from 'kysely'
import type { Test } from 'tap'
import type { OpenDatabase } from '../../../plugins/database/index.ts'
import { startJobs } from './host.ts'

/** Each round enqueues one job, and every other one is rolled back: by the work, by the database, or by a late error. */
export async function checkCommits(t: Test, database: OpenDatabase, rounds: number): Promise<void> {
  const { app } = await startJobs(t, database, { work: false })
  const jobs = async () =>
    (await sql<{ n: number }>`select (data ->> 'n')::int as n from pgboss.job order by 1`.execute(database.db)).rows
  await sql`delete from pgboss.job`.execute(database.db)
  const expected: Array<{ n: number }> = []
  for (let n = 0; n < rounds; n++) {
    const isKept = n % 2 === 0
    const work = database.transaction(async (trx) => {
      await app.jobs.enqueue(trx, 'test.add', { n })
      if (!isKept && n % 3 === 0) await sql`select 1 / 0`.execute(trx)
      if (!isKept) throw new Error('rolled back')
    })
    await work.catch(() => {})
    if (isKept) expected.push({ n })
  }
  t.same(await jobs(), expected, `${rounds} rounds`)
  await sql`delete from pgboss.job`.execute(database.db)
}
