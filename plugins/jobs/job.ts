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
  run(run: JobRun<N>, app: FastifyInstance): Promise<unknown>
  /** Further runs after one that failed; then the job is dead. Default 5. */
  retryLimit?: number
  /** Pause before the first further run; each one about doubles it. 0: at once. Default 1 s. */
  retryDelaySeconds?: number
  /** Longest such pause. Default 300 s. */
  retryDelayMaxSeconds?: number
  /** A run that takes longer has failed. Default 300 s. */
  timeoutSeconds?: number
  /** Runs at once in one process. Default: the plugin's `concurrency`. */
  concurrency?: number
  /** Jobs fetched and finished together by each of them, for many tiny jobs. Default 1. */
  batchSize?: number
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
  complete(fn: (trx: Transaction<Tables>) => Promise<unknown>): Promise<void>
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
