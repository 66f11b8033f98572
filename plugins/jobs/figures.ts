import type { FastifyInstance } from 'fastify'
import type { PgBoss } from 'pg-boss'
import type { GaugeSample } from '../metrics/index.ts'

/** Shows how long the queues are, as pg-boss counted it within the last ten seconds; a scrape has the next one read it. */
export async function showQueues(app: FastifyInstance, boss: PgBoss, names: string[]): Promise<void> {
  let samples: GaugeSample[] = []
  let isReading = false
  async function read(): Promise<void> {
    if (isReading) return
    isReading = true
    try {
      samples = (await boss.getQueues(names)).flatMap(({ name: job, ...counts }) => [
        { labels: { job, state: 'waiting' }, value: counts.readyCount },
        { labels: { job, state: 'delayed' }, value: counts.deferredCount },
        { labels: { job, state: 'running' }, value: counts.activeCount },
        { labels: { job, state: 'dead' }, value: counts.failedCount }
      ])
    } catch (err) {
      app.log.warn({ err }, 'jobs: the queues could not be read')
    } finally {
      isReading = false
    }
  }
  await read()
  app.metrics.gauge('job_queue_depth', 'Jobs by kind and state', () => {
    void read()
    return samples
  })
}

/** Counts runs and their time, for hosts that have the plugin `metrics`. */
export function countRuns(app: FastifyInstance) {
  if (!app.hasDecorator('metrics')) return undefined
  return {
    runs: app.metrics.counter('job_runs_total', 'Runs of jobs that ended', ['job', 'outcome']),
    seconds: app.metrics.histogram('job_duration_seconds', 'Time of one run of a job', ['job'])
  }
}
