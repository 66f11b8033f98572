import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { Transaction } from 'kysely'
import { fromKysely } from 'pg-boss'
import type { Tables } from '../database/index.ts'
import type {} from '../health/index.ts'
import type {} from '../metrics/index.ts'
import { affected, createBoss } from './boss.ts'
import type { WorkerConnection } from './connection.ts'
import { deadLettersOf, workDeadLetters } from './dead-letters.ts'
import { PayloadInvalid, UnknownJob } from './errors.ts'
import { countRuns, showQueues } from './figures.ts'
import type { EnqueueOptions, Job, JobName, JobPayloads, JobStatus } from './job.ts'
import { type Listening, listen } from './listen.ts'
import { checkOptions, type JobsOptions } from './options.ts'
import { compilePayload, type PayloadCheck } from './payload.ts'
import { type QueueFigures, readFigures } from './queue-figures.ts'
import { syncQueues, syncSchedules } from './queues.ts'
import { readStatus } from './status.ts'
import { stop } from './stop.ts'
import { startWorker, type Worker } from './worker.ts'

export interface Jobs {
  /**
   * Adds a job in the caller's transaction: none is left of a rollback, none is lost by a commit. Returns its id, or
   * `null` when the job is `unique` and another of its key waits or runs.
   */
  enqueue<N extends JobName>(
    trx: Transaction<Tables>,
    name: N,
    payload: JobPayloads[N],
    options?: EnqueueOptions
  ): Promise<string | null>
  /** Adds a job for each payload, as `enqueue` does, with one statement for all. Returns their ids. Not for `unique` jobs. */
  enqueueMany<N extends JobName>(
    trx: Transaction<Tables>,
    name: N,
    payloads: ReadonlyArray<JobPayloads[N]>,
    options?: Pick<EnqueueOptions, 'delaySeconds' | 'priority'>
  ): Promise<string[]>
  /** What is known of a job; nothing when there is none of that id, or it ended a week ago. */
  find<N extends JobName>(name: N, id: string): Promise<JobStatus<N> | undefined>
  /** Takes a job back that waits or runs (its run's `signal` is aborted). `false` when it is done or unknown. */
  cancel(trx: Transaction<Tables>, name: JobName, id: string): Promise<boolean>
  /** Has a dead job tried once more. `false` when there is no such dead job. */
  revive(trx: Transaction<Tables>, name: JobName, id: string): Promise<boolean>
  /** Counted now. */
  figures(): Promise<QueueFigures[]>
}

declare module 'fastify' {
  interface FastifyInstance {
    jobs: Jobs
  }
}

interface Kind {
  job: Job
  check: PayloadCheck
  worker?: Worker
}

async function jobs(app: FastifyInstance, options: JobsOptions): Promise<void> {
  checkOptions(app, options)
  const { database } = app
  const { connection, work, stopTimeoutMs = 10_000 } = options
  const kinds = new Map<string, Kind>(
    options.jobs.map((job) => [job.name, { job, check: compilePayload(job.payload) }])
  )
  const boss = createBoss({ database, isWorker: work, connection })
  // Without a listener an error of its background work would end the process.
  boss.on('error', (err) => app.log.error({ err }, 'jobs: background work failed'))
  boss.on('warning', ({ message, data }) => app.log.warn({ data }, `jobs: ${message}`))

  function kindOf(name: string): Kind {
    const kind = kinds.get(name)
    if (kind === undefined) throw new UnknownJob(name)
    return kind
  }

  let listening: Listening | undefined
  async function listenForJobs(): Promise<Listening | undefined> {
    const wakeAll = () => {
      for (const { worker } of kinds.values()) worker?.wake()
    }
    try {
      return await listen(boss, (name) => kinds.get(name)?.worker?.wake(), wakeAll)
    } catch (err) {
      app.log.warn({ err }, 'jobs: the database cannot tell of new ones; they are looked for')
      return undefined
    }
  }

  app.decorate('jobs', {
    async enqueue(trx, name, payload, { id, delaySeconds, priority, key } = {}) {
      const { job, check, worker } = kindOf(name)
      const problem = check(payload)
      if (problem !== undefined) throw new PayloadInvalid(name, problem)
      if (job.unique === true && key === undefined) throw new PayloadInvalid(name, ' of a unique job needs a key')
      const added = await boss.send(name, payload, {
        db: fromKysely(trx),
        ...(id !== undefined && { id }),
        ...(delaySeconds !== undefined && { startAfter: delaySeconds }),
        ...(priority !== undefined && { priority }),
        ...(key !== undefined && { singletonKey: key })
      })
      // Workers of this process; others hear of it by NOTIFY or when they look.
      database.afterCommit(trx, () => worker?.wake())
      return added
    },
    async enqueueMany(trx, name, payloads, { delaySeconds, priority } = {}) {
      const { job, check, worker } = kindOf(name)
      if (job.unique === true) throw new PayloadInvalid(name, ' of a unique job needs a key')
      const problem = payloads.map(check).find((problem) => problem !== undefined)
      if (problem !== undefined) throw new PayloadInvalid(name, problem)
      if (payloads.length === 0) return []
      const common = {
        ...(delaySeconds !== undefined && { startAfter: delaySeconds }),
        ...(priority !== undefined && { priority })
      }
      const rows = payloads.map((data) => ({ ...common, data }))
      const ids = await boss.insert(name, rows, { db: fromKysely(trx), returnId: true })
      database.afterCommit(trx, () => worker?.wake())
      return ids ?? []
    },
    find: (name, id) => readStatus(app.db, kindOf(name).job.name as typeof name, id),
    cancel: async (trx, name, id) =>
      (await affected(boss.cancel(kindOf(name).job.name, id, { db: fromKysely(trx) }))) > 0,
    async revive(trx, name, id) {
      const { job, worker } = kindOf(name)
      const count = await affected(boss.retry(job.name, id, { db: fromKysely(trx) }))
      database.afterCommit(trx, () => worker?.wake())
      return count > 0
    },
    figures: () => readFigures(app.db, [...kinds.keys()])
  })

  app.addHook('onReady', async () => {
    await boss.start()
    await syncQueues(boss, options)
    if (!work) return
    await syncSchedules(boss, options)
    // What died with an earlier worker is noticed now, and not only once this one has lived for an interval.
    await boss.supervise()
    const figures = countRuns(app)
    if (figures !== undefined) await showQueues(app, boss, [...kinds.keys()])
    if (database.kind === 'postgres' && connection?.listen !== false) listening = await listenForJobs()
    for (const kind of kinds.values()) {
      kind.worker = startWorker({ app, boss, figures, ...kind, ...options })
      if (kind.job.dead !== undefined) await workDeadLetters({ app, boss, ...options }, kind.job)
    }
  })
  app.addHook('onClose', () => {
    const workers = [...kinds.values()].flatMap(({ worker }) => worker ?? [])
    const queues = [...kinds.keys()].map(deadLettersOf)
    return stop({ app, boss, workers, queues, listening, timeoutMs: stopTimeoutMs })
  })
  if (work && database.kind === 'postgres' && app.hasDecorator('health')) {
    app.health.register('jobs', { critical: false, check: async () => void (await boss.schemaVersion()) })
  }
}

export const jobsPlugin = fp(jobs, {
  name: 'jobs',
  fastify: '5.x',
  decorators: { fastify: ['db', 'database'] }
})
export default jobsPlugin
export { JobLost, JobTimeout, PayloadInvalid, UnknownJob } from './errors.ts'
export type {
  DeadJob,
  EnqueueOptions,
  Job,
  JobName,
  JobPayloads,
  JobProgress,
  JobResults,
  JobRun,
  JobStatus
} from './job.ts'
export * as jobsMigration from './migration.ts'
export type { JobsOptions, WorkerConnection }
