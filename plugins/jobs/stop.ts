import type { FastifyInstance } from 'fastify'
import type { PgBoss } from 'pg-boss'
import { type Claim, handBack } from './status.ts'

export interface StopOptions {
  app: FastifyInstance
  boss: PgBoss
  queues: string[]
  running: Set<Claim>
  timeoutMs: number
}

/** Running jobs may finish until the deadline; then they are handed back, to be run again elsewhere. */
export async function stop({ app, boss, queues, running, timeoutMs }: StopOptions): Promise<void> {
  const { promise: deadline, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, timeoutMs)
  await Promise.race([deadline, Promise.all(queues.map((name) => boss.offWork(name, { wait: true })))])
  clearTimeout(timer)
  if (running.size > 0) {
    app.log.warn({ jobs: running.size }, 'jobs: handing back what still runs')
    // Else pg-boss does it, and the stop counts as a failure of theirs.
    await handBack(app.db, [...running]).catch((err) => app.log.error({ err }, 'jobs: could not be handed back'))
  }
  await boss.stop({ graceful: false, close: true })
}
