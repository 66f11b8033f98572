import { type Static, Type } from '@sinclair/typebox'
import Fastify, { type FastifyInstance } from 'fastify'
import { type Kysely, sql } from 'kysely'
import type { Test } from 'tap'
import databasePlugin, { type OpenDatabase } from '../../../plugins/database/index.ts'
import jobs, { type DeadJob, type Job, type JobRun, type JobsOptions } from '../../../plugins/jobs/index.ts'

const Payload = Type.Object({ n: Type.Integer() }, { additionalProperties: false })

declare module '../../../plugins/jobs/index.ts' {
  interface JobPayloads {
    'test.add': Static<typeof Payload>
    'test.once': Static<typeof Payload>
    'test.poison': Static<typeof Payload>
    'test.slow': Static<typeof Payload>
  }
  interface JobResults {
    'test.add': { sum: number }
  }
  interface JobProgress {
    'test.slow': { done: number }
  }
}

/** What the jobs of a test do, and what they saw. */
export interface Work {
  runs: Array<{ name: string; id: string; n: number; attempt: number }>
  deaths: DeadJob[]
  /** Whether `test.poison` fails. */
  isPoisoned: boolean
  /** Ends the runs of `test.slow`. */
  release: () => void
  released: Promise<void>
}

export function createWork(): Work {
  const { promise, resolve } = Promise.withResolvers<void>()
  return { runs: [], deaths: [], isPoisoned: true, release: resolve, released: promise }
}

/** An app with four kinds of jobs that write into the table `ledger`. */
export async function startJobs(
  t: Test,
  database: OpenDatabase,
  options: Omit<JobsOptions, 'jobs'>,
  work = createWork()
): Promise<{ app: FastifyInstance; work: Work }> {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(databasePlugin, { database })
  await app.register(jobs, { pollSeconds: 0.5, ...options, jobs: jobsOf(work) })
  await app.ready()
  return { app, work }
}

type Name = `test.${'add' | 'once' | 'poison' | 'slow'}`

function jobsOf(work: Work): Job[] {
  const kind = (name: Name, more: Partial<Job<Name>>, run: (run: JobRun<Name>) => Promise<void>): Job<Name> => ({
    name,
    payload: Payload,
    retryDelaySeconds: 0,
    ...more,
    run(one: JobRun<Name>) {
      work.runs.push({ name, id: one.id, n: one.payload.n, attempt: one.attempt })
      return run(one) as Promise<undefined>
    }
  })
  const record = (run: JobRun<Name>) =>
    run.complete(async (trx) => {
      await sql`insert into ledger (job_id, n) values (${run.id}, ${run.payload.n})`.execute(trx)
      return { sum: run.payload.n + 1 }
    })
  const dead: Job['dead'] = async (trx, job) => {
    work.deaths.push(job)
    await sql`insert into ledger (job_id, n) values (${job.id}, -1)`.execute(trx)
  }
  return [
    kind('test.add', {}, record),
    kind('test.once', { unique: true }, record),
    kind('test.poison', { retryLimit: 2, dead }, async (run) => {
      if (work.isPoisoned) throw new Error('poisoned')
      await record(run)
    }),
    kind('test.slow', {}, async (run) => {
      await run.progress({ done: run.payload.n })
      await work.released
      await record(run)
    })
  ]
}

export const makeLedger = <DB>(db: Kysely<DB>) =>
  sql`create table ledger (id bigint generated always as identity, job_id uuid not null, n int not null)`.execute(db)

export async function ledger(app: FastifyInstance): Promise<Array<{ job_id: string; n: number }>> {
  return (await sql<{ job_id: string; n: number }>`select job_id, n from ledger order by id`.execute(app.db)).rows
}

/** Waits until it is so, for 20 s unless told. */
export async function until(isSo: () => Promise<boolean> | boolean, withinMs = 20_000): Promise<void> {
  const deadline = Date.now() + withinMs
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error(`not within ${withinMs} ms: ${isSo}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
