import { setImmediate as endOfTurn } from 'node:timers/promises'
import type { Job as Fetched } from 'pg-boss'
import { type Claim, completeClaims, exhaustClaim, handBackClaims, touchClaims } from './claims.ts'
import { JobLost } from './errors.ts'
import { type Outcome, type RunOptions, runJob } from './run.ts'

export interface WorkerOptions extends RunOptions {
  /** For jobs that do not say. Default 5. */
  concurrency?: number
  /** Default 30 s. */
  heartbeatSeconds?: number
  /** Default 2 s. */
  pollSeconds?: number
}

export interface Worker {
  /** Has it look for jobs at once. */
  wake(): void
  /** Takes no more jobs; resolves when what runs has ended and is settled. */
  drain(): Promise<void>
  /** The end: what still runs here may be run by others at once. */
  handBack(): Promise<void>
}

/** A job that this worker has, until the database knows what came of it. */
interface Held extends Claim {
  controller: AbortController
  outcome?: Outcome
}

/**
 * Runs one kind of job, so many at once. One statement takes as many jobs as there is room for, one settles all that have
 * ended meanwhile: the more there is to do, the more each does.
 */
export function startWorker(options: WorkerOptions): Worker {
  const { app, boss, job, pollSeconds = 2, heartbeatSeconds = 30 } = options
  const { name, concurrency = options.concurrency ?? 5 } = job
  const db = boss.getDb()
  const held = new Set<Held>()
  let ended: Held[] = []
  let running = 0
  let isStopping = false
  let isSettling = false
  let mayHaveMore = false
  let ring = Promise.withResolvers<void>()
  const drained = Promise.withResolvers<void>()
  const heartbeat = setInterval(() => void beat(), (heartbeatSeconds * 1000) / 2)
  const wake = () => ring.resolve()
  const wakeIfMore = () => mayHaveMore && wake()
  const looking = look()

  async function look(): Promise<void> {
    while (!isStopping) {
      ring = Promise.withResolvers()
      // What has ended and is not settled yet takes room, too: else a slow database would have it grow.
      const room = Math.min(concurrency - running, 2 * concurrency - held.size)
      const jobs = room > 0 ? await take(room) : []
      mayHaveMore = jobs.length >= room
      for (const fetched of jobs) void start(fetched)
      const timer = mayHaveMore ? undefined : setTimeout(wake, pollSeconds * 1000)
      await ring.promise
      clearTimeout(timer)
      // What ends in this turn makes room together.
      await endOfTurn()
    }
  }

  async function take(count: number): Promise<Array<Fetched<object>>> {
    try {
      return await boss.fetch<object>(name, { batchSize: count })
    } catch (err) {
      app.log.error({ err, job: name }, 'jobs: none could be taken')
      return []
    }
  }

  async function start(fetched: Fetched<object>): Promise<void> {
    const one: Held = { id: fetched.id, retryCount: fetched.retryCount, controller: new AbortController() }
    held.add(one)
    running++
    one.outcome = await runJob(options, fetched, one.controller)
    running--
    ended.push(one)
    wakeIfMore()
    if (!isSettling) await settleEnded()
  }

  async function settleEnded(): Promise<void> {
    isSettling = true
    while (ended.length > 0) {
      await endOfTurn()
      const settling = ended
      ended = []
      try {
        await settle(settling)
      } catch (err) {
        // Its heart has stopped, so it runs again.
        app.log.error({ err, job: name }, 'jobs: what came of a run could not be written')
      }
      for (const one of settling) held.delete(one)
      wakeIfMore()
    }
    isSettling = false
    if (isStopping && held.size === 0) drained.resolve()
  }

  async function settle(settling: Held[]): Promise<void> {
    const completed = settling.flatMap(({ id, retryCount, outcome }) =>
      outcome?.state === 'completed' ? [{ id, retryCount, output: outcome.output }] : []
    )
    if (completed.length > 0) await completeClaims(db, name, completed)
    for (const { id, retryCount, outcome } of settling) {
      if (outcome?.state !== 'failed') continue
      if (outcome.isFinal) await exhaustClaim(db, name, { id, retryCount })
      await boss.fail(name, { id, retryCount }, { message: outcome.message })
    }
  }

  async function beat(): Promise<void> {
    if (held.size === 0) return
    const claims = [...held]
    try {
      const mine = await touchClaims(db, name, claims)
      for (const { id, controller } of claims) if (!mine.has(id)) controller.abort(new JobLost(id))
    } catch (err) {
      app.log.error({ err, job: name }, 'jobs: the heartbeat could not be written')
    }
  }

  return {
    wake,
    async drain() {
      isStopping = true
      wake()
      await looking
      if (held.size > 0) await drained.promise
    },
    async handBack() {
      clearInterval(heartbeat)
      if (held.size === 0) return
      app.log.warn({ job: name, count: held.size }, 'jobs: handing back what still runs')
      await handBackClaims(db, name, [...held])
      for (const { id, controller } of held) controller.abort(new JobLost(id))
    }
  }
}
