import type { FastifyBaseLogger } from 'fastify'
import type { CheckState } from './schema.ts'

export interface HealthCheck {
  /** Resolves when the dependency works, rejects with the cause when it does not. Must be cheap: it runs at every probe. */
  check: () => Promise<void>
  /** `true`: failing means 503 `unavailable`. `false`: failing means 200 `degraded`. */
  critical: boolean
}

export interface ProbeOptions {
  timeoutMs: number
  cacheMs: number
  log: FastifyBaseLogger
  now: () => number
}

export interface Report {
  status: 'ok' | 'degraded' | 'unavailable'
  checks: Record<string, CheckState>
}

export interface Probes {
  add(name: string, check: HealthCheck): void
  /** The report of the last round when it is younger than `cacheMs`, else of a new round that all concurrent callers share. */
  report(): Promise<Report>
}

interface Entry extends HealthCheck {
  name: string
  state: CheckState
  /** The call under way, if it has not settled yet, and when it began. */
  running: Promise<void> | undefined
  startedAt: number
}

// After so many deadlines a call that never settled is given up, so that a check that lost its answer once can recover.
const abandonAfterDeadlines = 10

export function createProbes({ timeoutMs, cacheMs, log, now }: ProbeOptions): Probes {
  const entries = new Map<string, Entry>()
  let last: { report: Report; at: number } | undefined
  let flight: Promise<Report> | undefined

  return {
    add(name, { check, critical }) {
      if (!/^[a-z][a-z0-9_]*$/.test(name)) throw new TypeError(`Health check name must be snake_case: ${name}`)
      if (entries.has(name)) throw new Error(`Health check is already registered: ${name}`)
      entries.set(name, { name, check, critical, state: 'ok', running: undefined, startedAt: 0 })
      last = undefined
    },
    report() {
      if (last !== undefined && now() - last.at < cacheMs) return Promise.resolve(last.report)
      flight ??= runAll().finally(() => {
        flight = undefined
      })
      return flight
    }
  }

  async function runAll(): Promise<Report> {
    const round = [...entries.values()]
    await Promise.all(round.map(runOne))
    const down = round.filter((entry) => entry.state === 'unavailable')
    const status = down.some((entry) => entry.critical) ? 'unavailable' : down.length > 0 ? 'degraded' : 'ok'
    const report: Report = { status, checks: Object.fromEntries(round.map(({ name, state }) => [name, state])) }
    last = { report, at: now() }
    return report
  }

  async function runOne(entry: Entry): Promise<void> {
    // A call that ignored its deadline is not started again on top of itself: probing must not pile work on a dependency that hangs.
    if (entry.running !== undefined && now() - entry.startedAt < abandonAfterDeadlines * timeoutMs) return
    try {
      await withDeadline(start(entry), timeoutMs)
      settle(entry, 'ok')
    } catch (cause) {
      settle(entry, 'unavailable', cause)
    }
  }

  function start(entry: Entry): Promise<void> {
    const running = call(entry.check)
    const clear = () => {
      if (entry.running === running) entry.running = undefined
    }
    entry.running = running
    entry.startedAt = now()
    running.then(clear, clear)
    return running
  }

  function settle(entry: Entry, state: CheckState, err?: unknown): void {
    if (entry.state === state) return
    entry.state = state
    const { name: check, critical } = entry
    if (state === 'ok') log.info({ check }, 'health check passes again')
    else log[critical ? 'error' : 'warn']({ check, err }, 'health check fails')
  }
}

/** A check that throws before its first await fails like any other. */
async function call(check: HealthCheck['check']): Promise<void> {
  await check()
}

async function withDeadline(promise: Promise<void>, timeoutMs: number): Promise<void> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new Error(`No answer within ${timeoutMs} ms`)), timeoutMs)
  try {
    await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
