import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import Fastify, { type FastifyInstance } from 'fastify'
import { sql } from 'kysely'
import database from '../../plugins/database/index.ts'
import jobs, { type JobPayloads } from '../../plugins/jobs/index.ts'
import type { Fixture } from '../fixture.ts'
import { SERVER_CPU } from '../server.ts'
import { kinds } from './kinds.ts'

const STARTS = 200
const PART = 1000

/** What is asked of the jobs, on PostgreSQL. */
export interface JobsResult {
  workload: 'jobs'
  date: string
  node: string
  /** From before the transaction that enqueues to the first line of the run, in ms. */
  start: { p50: number; p99: number; goal: number }
  rates: Rate[]
  /** Jobs a second in each tenth of the long queue. */
  drain: number[]
}

interface Rate {
  name: string
  jobs: number
  perSecond: number
  goal?: number
}

type Kind = 'bench.small' | 'bench.effect' | 'bench.batch'

/** Measures jobs between this process, which enqueues, and one worker on a CPU of its own. */
export async function benchJobs({ env, db }: Fixture): Promise<JobsResult> {
  const url = env.DATABASE_URL ?? ''
  await sql`create table bench_effects (n int)`.execute(db)
  const app = Fastify()
  await app.register(database, { url })
  await app.register(jobs, { jobs: kinds, work: false })
  await app.ready()
  try {
    console.error('jobs: time to the start')
    const start = await withWorker(url, (worker) => measureStarts(app, worker))
    console.error(`jobs: ${start.p50} ms`)
    const rates: Rate[] = []
    for (const [kind, count, goal] of [
      ['bench.small', 10_000, 1000],
      ['bench.effect', 10_000, undefined],
      ['bench.batch', 100_000, 5000]
    ] as const) {
      console.error(`jobs: ${count} × ${kind}`)
      await fill(app, kind, count)
      await withWorker(url, () => emptied(app, kind))
      const perSecond = count / (await spanOf(app, kind))
      console.error(`jobs: ${perSecond.toFixed(0)}/s`)
      const { concurrency = 5 } = kinds.find(({ name }) => name === kind) ?? {}
      rates.push({
        name: `${kind}, ${concurrency} at once`,
        jobs: count,
        perSecond,
        ...(goal !== undefined && { goal })
      })
    }
    return {
      workload: 'jobs',
      date: new Date().toISOString(),
      node: process.version,
      start: { ...start, goal: 100 },
      rates,
      drain: await tenths(app, 'bench.batch')
    }
  } finally {
    await app.close()
  }
}

async function withWorker<T>(url: string, work: (worker: ChildProcess) => Promise<T>): Promise<T> {
  const script = join(import.meta.dirname, 'worker.ts')
  const worker = spawn('taskset', ['-c', SERVER_CPU, process.execPath, script], {
    env: { PATH: process.env.PATH, NODE_ENV: 'production', DATABASE_URL: url },
    stdio: ['ignore', 'pipe', 'inherit', 'ipc']
  })
  worker.stdout?.resume()
  try {
    await once(worker, 'message')
    return await work(worker)
  } finally {
    const exit = once(worker, 'exit')
    worker.kill('SIGTERM')
    await exit
  }
}

async function measureStarts(app: FastifyInstance, worker: ChildProcess): Promise<{ p50: number; p99: number }> {
  const sentAt: number[] = []
  const times: number[] = []
  const { promise: all, resolve } = Promise.withResolvers<void>()
  worker.on('message', ({ n, at }: { n: number; at: number }) => {
    times.push(at - (sentAt[n] ?? Number.NaN))
    if (times.length === STARTS) resolve()
  })
  for (let n = 0; n < STARTS; n++) {
    sentAt[n] = Date.now()
    await app.database.transaction((trx) => app.jobs.enqueue(trx, 'bench.start', { n }))
    await delay(20 + Math.random() * 60)
  }
  await all
  times.sort((a, b) => a - b)
  const at = (share: number) => times[Math.floor(times.length * share)] ?? Number.NaN
  return { p50: at(0.5), p99: at(0.99) }
}

async function fill(app: FastifyInstance, kind: Kind, count: number): Promise<void> {
  for (let from = 0; from < count; from += PART) {
    const payloads: Array<JobPayloads[Kind]> = Array.from({ length: PART }, (_, n) => ({ n: from + n }))
    await app.database.transaction((trx) => app.jobs.enqueueMany(trx, kind, payloads))
  }
  // As autovacuum does within a minute.
  await sql`analyze pgboss.job_common`.execute(app.db)
}

async function emptied(app: FastifyInstance, kind: Kind): Promise<void> {
  const left = sql`select from pgboss.job where name = ${kind} and state < 'completed' limit 1`
  while ((await left.execute(app.db)).rows.length > 0) await delay(200)
}

/** Seconds from the first start to the last end. */
async function spanOf(app: FastifyInstance, kind: Kind): Promise<number> {
  const { rows } = await sql<{ seconds: number; failed: number }>`
    select extract(epoch from max(completed_on) - min(started_on))::float8 as seconds,
      count(*) filter (where state <> 'completed' or retry_count > 0) as failed
    from pgboss.job where name = ${kind}`.execute(app.db)
  const [row] = rows
  if (row === undefined || row.failed > 0) throw new Error(`${row?.failed} jobs were not done, or not at once`)
  return row.seconds
}

async function tenths(app: FastifyInstance, kind: Kind): Promise<number[]> {
  const { rows } = await sql<{ rate: number }>`
    select count(*) / extract(epoch from max(completed_on) - min(started_on))::float8 as rate
    from (select started_on, completed_on, ntile(10) over (order by completed_on) as tenth
      from pgboss.job where name = ${kind}) as jobs group by tenth order by tenth`.execute(app.db)
  return rows.map(({ rate }) => rate)
}
