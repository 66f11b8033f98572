import type { FastifyInstance } from 'fastify'
import { fromKysely, type JobWithMetadata, type PgBoss } from 'pg-boss'
import { affected } from './boss.ts'
import { JobLost } from './errors.ts'
import type { Job } from './job.ts'
import { lockDead } from './status.ts'

/** The queue to which a job of this kind leaves word when it dies, in the statement that marks it so. */
export const deadLettersOf = (name: string) => `${name}.dead`

/** Hands what died to the job's `dead`. */
export async function workDeadLetters(
  { app, boss, pollSeconds = 2 }: { app: FastifyInstance; boss: PgBoss; pollSeconds?: number },
  job: Job
): Promise<void> {
  const queue = deadLettersOf(job.name)

  async function handle({ id, retryCount, sourceId }: JobWithMetadata<object>): Promise<void> {
    await app.database.transaction(async (trx) => {
      // It may have been revived before; from here on it cannot.
      const dead = sourceId === null ? undefined : await lockDead(trx, job.name, sourceId)
      if (dead !== undefined) await job.dead?.(trx, dead, app)
      const letter = { id, retryCount }
      if ((await affected(boss.complete(queue, letter, null, { db: fromKysely(trx) }))) === 0) throw new JobLost(id)
    })
    app.log.warn({ job: job.name, job_id: sourceId }, 'job is dead')
  }

  await boss.work(
    queue,
    { pollingIntervalSeconds: pollSeconds, includeMetadata: true },
    async (letters: JobWithMetadata<object>[]) => {
      for (const letter of letters) await handle(letter)
    }
  )
}
