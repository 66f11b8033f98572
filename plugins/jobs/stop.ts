import type { FastifyInstance } from 'fastify'
import type { PgBoss } from 'pg-boss'
import type { Listening } from './listen.ts'
import type { Worker } from './worker.ts'

export interface StopOptions {
  app: FastifyInstance
  boss: PgBoss
  workers: Worker[]
  /** Names of the queues that pg-boss works itself. */
  queues: string[]
  listening: Listening | undefined
  timeoutMs: number
}

/** Running jobs may finish until the deadline; then they are handed back, to be run again elsewhere. */
export async function stop({ app, boss, workers, queues, listening, timeoutMs }: StopOptions): Promise<void> {
  const { promise: deadline, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, timeoutMs)
  const drained = [...workers.map((worker) => worker.drain()), ...queues.map((name) => boss.offWork(name))]
  await Promise.race([deadline, Promise.all(drained)])
  clearTimeout(timer)
  for (const worker of workers) {
    await worker.handBack().catch((err) => app.log.error({ err }, 'jobs: could not be handed back'))
  }
  await listening?.close()
  await boss.stop({ graceful: false, close: true })
}
