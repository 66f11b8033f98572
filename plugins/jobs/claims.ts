import type { Db } from 'pg-boss'
import { JOBS_SCHEMA } from './migration.ts'

/** What one worker has of a job, until it is settled. Each statement here leaves alone what is no longer the worker's. */
export interface Claim {
  id: string
  /** Tells this claim from those before and after it. */
  retryCount: number
}

const update = (assignments: string) => `
  update ${JOBS_SCHEMA}.job as job set ${assignments}
  from json_to_recordset($2::text::json) as claim (id uuid, retry_count int, output jsonb)
  where job.name = $1 and job.id = claim.id and job.retry_count = claim.retry_count and job.state = 'active'
  returning job.id`

async function run(db: Db, assignments: string, name: string, claims: Array<Claim & { output?: object | null }>) {
  const rows = claims.map(({ id, retryCount, output = null }) => ({ id, retry_count: retryCount, output }))
  const { rows: found } = await db.executeSql(update(assignments), [name, JSON.stringify(rows)])
  return new Set(found.map(({ id }: { id: string }) => id))
}

/** Ends jobs well, each with its output. */
export const completeClaims = (db: Db, name: string, claims: Array<Claim & { output: object | null }>) =>
  run(db, `state = 'completed', completed_on = now(), output = claim.output`, name, claims)

/** Says that the worker lives; the ids of what is still its. */
export const touchClaims = (db: Db, name: string, claims: Claim[]): Promise<Set<string>> =>
  run(db, 'heartbeat_on = now()', name, claims)

/** Has the failure that follows be the last one. */
export const exhaustClaim = (db: Db, name: string, claim: Claim) =>
  run(db, 'retry_limit = job.retry_count', name, [claim])

/** Lets others run jobs at once, as if they had not been tried here. */
export const handBackClaims = (db: Db, name: string, claims: Claim[]) =>
  run(db, `state = 'retry', retry_limit = job.retry_limit + 1, start_after = now(), heartbeat_on = null`, name, claims)
