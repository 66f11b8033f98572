import { type Kysely, sql } from 'kysely'
import { JOBS_SCHEMA } from './migration.ts'

/** How many jobs of one kind there are: waiting, delayed or between two runs, running, and failed for good. */
export interface QueueFigures {
  job: string
  waiting: number
  delayed: number
  running: number
  dead: number
}

/** Counted now; finished jobs are not looked at. */
export async function readFigures<DB>(db: Kysely<DB>, names: string[]): Promise<QueueFigures[]> {
  const { rows } = await sql<QueueFigures>`
    select queue.name as job,
      count(*) filter (where job.state < 'active' and job.start_after <= now()) as waiting,
      count(*) filter (where job.state < 'active' and job.start_after > now()) as delayed,
      count(*) filter (where job.state = 'active') as running,
      count(*) filter (where job.state = 'failed') as dead
    from ${sql.table(`${JOBS_SCHEMA}.queue`)} as queue
    left join ${sql.table(`${JOBS_SCHEMA}.job`)} as job on job.name = queue.name and job.state <> 'completed'
    where queue.name = any(${names}) group by queue.name order by queue.name`.execute(db)
  return rows
}
