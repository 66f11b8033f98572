import type { FastifyInstance } from 'fastify'
import { type Job as Fetched, fromKysely, type PgBoss } from 'pg-boss'
import type { Counter, Histogram } from '../metrics/index.ts'
import { affected } from './boss.ts'
import { JobLost, JobTimeout, PayloadInvalid } from './errors.ts'
import type { Job, JobRun } from './job.ts'
import type { PayloadCheck } from './payload.ts'
import { writeProgress } from './status.ts'

export interface Figures {
  runs: Counter<'job' | 'outcome'>
  seconds: Histogram<'job'>
}

export interface RunOptions {
  app: FastifyInstance
  boss: PgBoss
  job: Job
  check: PayloadCheck
  figures: Figures | undefined
}

/** What has to be written of a run: nothing when it ended its job itself, or the job is no longer the worker's. */
export type Outcome =
  | { state: 'completed'; output: object | null }
  | { state: 'failed'; message: string; isFinal: boolean }
  | { state: 'settled' }

/** One run, whatever comes of it. */
export async function runJob(
  { app, boss, job, check, figures }: RunOptions,
  { id, retryCount, data, expireInSeconds }: Fetched<object>,
  controller: AbortController
): Promise<Outcome> {
  const startedAt = performance.now()
  const attempt = retryCount + 1
  const log = app.log.child({ job: job.name, job_id: id, attempt })
  let isComplete = false

  const run: JobRun = {
    id,
    // Checked below, before the job sees it.
    payload: data as JobRun['payload'],
    attempt,
    signal: controller.signal,
    async complete(fn) {
      await app.database.transaction(async (trx) => {
        const output = toOutput(await fn(trx))
        const ended = boss.complete(job.name, { id, retryCount }, output, { db: fromKysely(trx) })
        if ((await affected(ended)) === 0) throw new JobLost(id)
      })
      isComplete = true
    },
    progress: (value) => writeProgress(app.db, job.name, { id, retryCount }, value)
  }

  try {
    const problem = check(data)
    if (problem !== undefined) throw new PayloadInvalid(job.name, problem)
    const result = await within(expireInSeconds, job, controller, () => job.run(run, app))
    log.info({ duration_ms: Math.round(performance.now() - startedAt) }, 'job done')
    figures?.runs.inc({ job: job.name, outcome: 'completed' })
    return isComplete ? { state: 'settled' } : { state: 'completed', output: toOutput(result) }
  } catch (error) {
    const isLost = isComplete || error instanceof JobLost
    log[isLost ? 'warn' : 'error']({ err: error }, isLost ? 'job is over already' : 'job failed')
    figures?.runs.inc({ job: job.name, outcome: isLost ? 'lost' : 'failed' })
    if (isLost) return { state: 'settled' }
    // What cannot become better is not tried again. Its stack is in the log only.
    const message = error instanceof Error ? error.message : String(error)
    return { state: 'failed', message, isFinal: error instanceof PayloadInvalid }
  } finally {
    figures?.seconds.observe((performance.now() - startedAt) / 1000, { job: job.name })
  }
}

/** Rejects and aborts after that time; what the run still does can no longer complete. */
async function within<T>(seconds: number, job: Job, controller: AbortController, work: () => Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => {
    const error = new JobTimeout(job.name, seconds)
    reject(error)
    controller.abort(error)
  }, seconds * 1000)
  try {
    return await Promise.race([work(), promise])
  } finally {
    clearTimeout(timer)
  }
}

/** pg-boss keeps objects only. */
const toOutput = (result: unknown) => (result === undefined ? null : { result })
