import { type Kysely, sql, type Transaction } from 'kysely'
import type { DeadJob, JobName, JobStatus } from './job.ts'
import { JOBS_SCHEMA } from './migration.ts'

const jobs = sql.table(`${JOBS_SCHEMA}.job`)

/** Our own failures are `{ message }`; what pg-boss notes of runs that never ended has one level more. */
const error = sql<string>`coalesce(output ->> 'message', output -> 'value' ->> 'message', output ->> 'value', 'unknown')`

/** What is known of a job; nothing when there is none of that id, or it ended a week ago. */
export async function readStatus<DB, N extends JobName>(
  db: Kysely<DB>,
  name: N,
  id: string
): Promise<JobStatus<N> | undefined> {
  const { rows } = await sql<JobStatus<N>>`
    select case when state < 'active' then 'waiting' when state = 'active' then 'running'
        when state = 'failed' then 'dead' else state::text end as state,
      case when started_on is null then 0 else retry_count + 1 end as attempts,
      case when state = 'active' then output -> 'progress' end as progress,
      case when state = 'completed' then output -> 'result' end as result,
      case when state in ('retry', 'failed') then ${error} end as error,
      created_on as created_at, started_on as started_at, completed_on as finished_at
    from ${jobs} where name = ${name} and id = ${id}`.execute(db)
  return rows[0]
}

/** Kept where the result will be. Does nothing for a run that is no longer the job's. */
export async function writeProgress<DB>(
  db: Kysely<DB>,
  name: string,
  { id, retryCount }: { id: string; retryCount: number },
  progress: unknown
): Promise<void> {
  await sql`
    update ${jobs} set output = jsonb_build_object('progress', ${JSON.stringify(progress)}::jsonb)
    where name = ${name} and id = ${id} and state = 'active' and retry_count = ${retryCount}`.execute(db)
}

/** The dead job, which stays dead until the transaction ends. */
export async function lockDead<DB>(trx: Transaction<DB>, name: string, id: string): Promise<DeadJob | undefined> {
  const { rows } = await sql<DeadJob>`
    select id, data as payload, retry_count + 1 as attempts, ${error} as error
    from ${jobs} where name = ${name} and id = ${id} and state = 'failed' for update`.execute(trx)
  return rows[0]
}
