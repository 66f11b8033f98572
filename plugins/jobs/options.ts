import type { FastifyInstance } from 'fastify'
import type { WorkerConnection } from './connection.ts'
import type { Job } from './job.ts'

export interface JobsOptions {
  /** Every kind of job, also in processes that only enqueue. */
  jobs: readonly Job[]
  /** Whether this process works jobs and keeps the schedules. */
  work: boolean
  /** How a worker reaches PostgreSQL. Required with `work` on PostgreSQL, unused embedded. */
  connection?: WorkerConnection
  /** Runs of one kind at once in this process. Default 5. */
  concurrency?: number
  /** A run is taken for dead when its worker has not been heard of for this long. Default 30 s, at least 10. */
  heartbeatSeconds?: number
  /** Pause between two looks for jobs, where nothing tells of new ones. Default 2 s, at least 0.5. */
  pollSeconds?: number
  /** When the process stops: time for running jobs, then they are handed back. Default 10 000 ms. */
  stopTimeoutMs?: number
}

/** @throws when an option cannot be meant */
export function checkOptions(app: FastifyInstance, { jobs, work, connection, ...numbers }: JobsOptions): void {
  if (work && app.database.kind === 'postgres' && connection === undefined) {
    throw new Error('jobs: a process that works jobs on PostgreSQL needs the option connection')
  }
  for (const { name } of jobs) {
    if (!/^[\w.-]{1,60}$/.test(name))
      throw new Error(`jobs: a name has 1 to 60 letters, digits, "_", "-" and ".": ${name}`)
  }
  if (new Set(jobs.map(({ name }) => name)).size !== jobs.length) throw new Error('jobs: no name may appear twice')
  const minimum = { concurrency: 1, heartbeatSeconds: 10, pollSeconds: 0.5, stopTimeoutMs: 0 }
  for (const [name, least] of Object.entries(minimum)) {
    const value = numbers[name as keyof typeof minimum]
    if (value !== undefined && !(value >= least)) throw new Error(`jobs: ${name} must be at least ${least}`)
  }
}
