import type { TSchema } from '@sinclair/typebox'
import type { FastifyInstance } from 'fastify'
import type { Transaction } from 'kysely'
import type { Tables } from '../database/index.ts'

/**
 * The payload of every job by its name. Each job's file augments it:
 * `declare module '../../plugins/jobs/index.ts' { interface JobPayloads { 'mail.send': Static<typeof Payload> } }`.
 */
// biome-ignore lint/suspicious/noEmptyInterface: filled by declaration merging
export interface JobPayloads {}

export type JobName = keyof JobPayloads & string

/** The result of a job by its name, JSON, for those that have one. Augmented like `JobPayloads`. */
// biome-ignore lint/suspicious/noEmptyInterface: filled by declaration merging
export interface JobResults {}

/** What a run tells of itself by the job's name, JSON, for those that do. Augmented like `JobPayloads`. */
// biome-ignore lint/suspicious/noEmptyInterface: filled by declaration merging
export interface JobProgress {}

export type ResultOf<N extends JobName> = N extends keyof JobResults ? JobResults[N] : unknown
export type ProgressOf<N extends JobName> = N extends keyof JobProgress ? JobProgress[N] : unknown

/** A kind of job: what it is told, what it does, and how it is tried. */
export interface Job<N extends JobName = JobName> {
  /** Letters, digits, `_`, `-` and `.`, at most 60. */
  name: N
  /** JSON Schema of the payload: checked when a job is enqueued and again when it runs. */
  payload: TSchema
  /**
   * One run. What it returns, JSON, is the job's result; when it throws, the job is tried again. It may run more than
   * once: effects in the database that must happen once belong into `run.complete`.
   */
  run(run: JobRun<N>, app: FastifyInstance): Promise<ResultOf<N> | undefined>
  /**
   * Called for each job that has died, whatever it died of; in one transaction with that being noted, so its effects in the
   * database happen once. Where it throws it is called again, for about a day.
   */
  dead?(trx: Transaction<Tables>, job: DeadJob, app: FastifyInstance): Promise<unknown>
  /** Further runs after one that failed; then the job is dead. Default 5. */
  retryLimit?: number
  /** Pause before the first further run; each one about doubles it. 0: at once. Default 1 s. */
  retryDelaySeconds?: number
  /** Longest such pause. Default 300 s. */
  retryDelayMaxSeconds?: number
  /** A run that takes longer has failed. Default 300 s. */
  timeoutSeconds?: number
  /** Runs at once in one process; hundreds for jobs that are many and tiny. Default: the plugin's `concurrency`. */
  concurrency?: number
  /** Makes one such job at each time that a cron expression (five fields, UTC) names, over all workers together. */
  schedule?: { cron: string; payload: JobPayloads[N] }
  /** Every job needs a `key`, and while one waits or runs no other of its key is taken. Default `false`. */
  unique?: boolean
}

/** One attempt at a job. */
export interface JobRun<N extends JobName = JobName> {
  /** The id that `enqueue` returned; the same in every attempt. */
  id: string
  payload: JobPayloads[N]
  /** 1 for the first. */
  attempt: number
  /** Aborted when the run takes too long, the process stops, or the job is no longer this worker's. */
  signal: AbortSignal
  /**
   * Ends the job: its effects and its being done are one transaction, so they happen once, whatever dies when. The
   * result of `fn`, JSON, is the job's.
   *
   * @throws JobLost when the job is no longer this worker's; the effects are rolled back
   */
  complete(fn: (trx: Transaction<Tables>) => Promise<ResultOf<N> | undefined>): Promise<void>
  /** Tells how far it is, for `find`. Not inside `complete`. */
  progress(value: ProgressOf<N>): Promise<void>
}

export interface DeadJob {
  id: string
  /** As it was enqueued; it may be why the job died. */
  payload: unknown
  attempts: number
  /** Message of what the last run threw. */
  error: string
}

/** What is known of a job. */
export interface JobStatus<N extends JobName = JobName> {
  /** `waiting`: for a worker, its time or its next run. */
  state: 'waiting' | 'running' | 'completed' | 'cancelled' | 'dead'
  /** Runs that have begun. */
  attempts: number
  /** Of the run that is on. */
  progress: ProgressOf<N> | null
  result: ResultOf<N> | null
  /** Message of what the last run threw. */
  error: string | null
  created_at: string
  started_at: string | null
  finished_at: string | null
}

export interface EnqueueOptions {
  /** A UUID; default a new one. */
  id?: string
  /** Not before so many seconds from now. */
  delaySeconds?: number
  /** Higher ones first. Default 0. */
  priority?: number
  /** For `unique` jobs, up to 255 characters. */
  key?: string
}
