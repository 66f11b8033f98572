import { isDeepStrictEqual } from 'node:util'
import type { PgBoss, Queue, QueueResult } from 'pg-boss'
import { deadLettersOf } from './dead-letters.ts'
import type { Job } from './job.ts'
import type { JobsOptions } from './options.ts'

/** How long a finished or dead job stays to be looked at. */
const KEPT_SECONDS = 7 * 86_400
/** How long a job may wait for a worker. */
const WAITS_SECONDS = 14 * 86_400

/** Makes the queues of all jobs, and gives existing ones the settings of today. Harmless in several processes at once. */
export async function syncQueues(boss: PgBoss, { jobs, heartbeatSeconds = 30 }: JobsOptions): Promise<void> {
  const existing = new Map((await boss.getQueues(jobs.map(({ name }) => name))).map((queue) => [queue.name, queue]))
  for (const job of jobs) {
    if (job.dead !== undefined) await boss.createQueue(deadLettersOf(job.name), deadLetters)
    const { policy, ...settings } = queueOf(job, heartbeatSeconds)
    const queue = existing.get(job.name)
    if (queue === undefined) await boss.createQueue(job.name, { policy, ...settings })
    else if (queue.policy !== policy)
      throw new Error(`jobs: ${job.name} exists with another value of unique; rename it`)
    else if (!hasSettings(queue, settings)) await boss.updateQueue(job.name, settings)
  }
}

/** Tried for about a day. */
const deadLetters = {
  retryLimit: 300,
  retryBackoff: true,
  retryDelay: 1,
  retryDelayMax: 300,
  deleteAfterSeconds: KEPT_SECONDS
} satisfies Omit<Queue, 'name'>

function queueOf(job: Job, heartbeatSeconds: number) {
  const { retryDelaySeconds = 1 } = job
  return {
    policy: job.unique === true ? 'exclusive' : 'standard',
    retryLimit: job.retryLimit ?? 5,
    retryBackoff: retryDelaySeconds > 0,
    retryDelay: retryDelaySeconds,
    ...(retryDelaySeconds > 0 && { retryDelayMax: job.retryDelayMaxSeconds ?? 300 }),
    expireInSeconds: job.timeoutSeconds ?? 300,
    heartbeatSeconds,
    retentionSeconds: WAITS_SECONDS,
    deleteAfterSeconds: KEPT_SECONDS,
    notify: true,
    ...(job.dead !== undefined && { deadLetter: deadLettersOf(job.name) })
  } satisfies Omit<Queue, 'name'>
}

function hasSettings(queue: QueueResult, settings: Partial<Queue>): boolean {
  const kept = Object.fromEntries(Object.keys(settings).map((key) => [key, queue[key as keyof Queue]]))
  return isDeepStrictEqual(kept, settings)
}

/** Keeps exactly the schedules of these jobs: what an older version had and this one has not is forgotten. */
export async function syncSchedules(boss: PgBoss, { jobs }: JobsOptions): Promise<void> {
  const scheduled = new Set<string>()
  for (const { name, schedule } of jobs) {
    if (schedule === undefined) continue
    await boss.schedule(name, schedule.cron, schedule.payload, { tz: 'UTC' })
    scheduled.add(name)
  }
  for (const { name } of await boss.getSchedules()) if (!scheduled.has(name)) await boss.unschedule(name)
}
