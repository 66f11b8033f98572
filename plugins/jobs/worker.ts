import type { FastifyInstance } from 'fastify'
import { type Job as Fetched, fromKysely, type JobResult, type PgBoss } from 'pg-boss'
import type { Counter, Histogram } from '../metrics/index.ts'
import { affected } from './boss.ts'
import { JobLost, PayloadInvalid } from './errors.ts'
import type { Job, JobRun } from './job.ts'
import type { PayloadCheck } from './payload.ts'
import { type Claim, writeProgress } from './status.ts'

/** What is kept in the job about a run that failed: never its stack, which an administrator reads in the log. */
interface Failure {
  message: string
}

export interface WorkerOptions {
  app: FastifyInstance
  boss: PgBoss
  job: Job
  check: PayloadCheck
  /** Filled with what runs. */
  running: Set<Claim>
  /** For jobs that do not say. Default 5. */
  concurrency?: number
  /** Default 2 s. */
  pollSeconds?: number
}

export interface Figures {
  runs: Counter<'job' | 'outcome'>
  seconds: Histogram<'job'>
}

export interface Worker {
  /** Has every idle one look for jobs at once. */
  wake(): void
}

/** Starts what runs one kind of job: so many at once, each as soon as the one before it is done. */
export async function startWorker(options: WorkerOptions, figures: Figures | undefined): Promise<Worker> {
  const { app, boss, job, pollSeconds = 2 } = options
  const { name, batchSize = 1, concurrency = options.concurrency ?? 5 } = job
  const ids: string[] = []
  for (let n = 0; n < concurrency; n++) {
    const id: string = await boss.work(
      name,
      {
        batchSize,
        perJobResults: true,
        pollingIntervalSeconds: pollSeconds,
        // NOTIFY tells of new jobs only, not of those whose time comes.
        notifyPollingIntervalSeconds: pollSeconds,
        includeMetadata: false
      },
      async (fetched: Fetched<object>[]) => {
        // There may be more: without this it would pause before it looks again.
        boss.notifyWorker(id)
        return Promise.all(fetched.map((one) => runOne(options, figures, one)))
      }
    )
    ids.push(id)
  }
  app.log.debug({ job: name, concurrency }, 'jobs are worked')
  return {
    wake() {
      for (const id of ids) boss.notifyWorker(id)
    }
  }
}

async function runOne(
  { app, boss, job, check, running }: WorkerOptions,
  figures: Figures | undefined,
  fetched: Fetched<object>
): Promise<JobResult<unknown>> {
  const { id, retryCount, signal, data } = fetched
  const claim = { name: job.name, id, retryCount }
  const startedAt = performance.now()
  const attempt = retryCount + 1
  const log = app.log.child({ job: job.name, job_id: id, attempt })
  let result: unknown

  const run: JobRun = {
    id,
    // Checked below, before the job sees it.
    payload: data as JobRun['payload'],
    attempt,
    signal,
    async complete(fn) {
      await app.database.transaction(async (trx) => {
        result = await fn(trx)
        if (
          (await affected(boss.complete(job.name, { id, retryCount }, toOutput(result), { db: fromKysely(trx) }))) === 0
        )
          throw new JobLost(id)
      })
    },
    progress: (value) => writeProgress(app.db, job.name, { id, retryCount }, value)
  }

  running.add(claim)
  try {
    const problem = check(data)
    if (problem !== undefined) throw new PayloadInvalid(job.name, problem)
    const returned = await job.run(run, app)
    log.info({ duration_ms: Math.round(performance.now() - startedAt) }, 'job done')
    figures?.runs.inc({ job: job.name, outcome: 'completed' })
    return { id, status: 'completed', output: toOutput(result ?? returned) }
  } catch (error) {
    const isLost = error instanceof JobLost
    log[isLost ? 'warn' : 'error']({ err: error }, isLost ? 'job lost' : 'job failed')
    figures?.runs.inc({ job: job.name, outcome: isLost ? 'lost' : 'failed' })
    const output: Failure = { message: error instanceof Error ? error.message : String(error) }
    // What cannot become better is not tried again.
    return { id, status: error instanceof PayloadInvalid ? 'deadletter' : 'failed', output }
  } finally {
    running.delete(claim)
    figures?.seconds.observe((performance.now() - startedAt) / 1000, { job: job.name })
  }
}

/** pg-boss keeps objects only. */
const toOutput = (result: unknown) => (result === undefined ? null : { result })
