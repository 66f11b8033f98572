import { EventEmitter } from 'node:events'
import type { Redis } from 'ioredis'
import { withDeadline } from './deadline.ts'
import { DeadlineExceeded, hideCommand, isOutage, RedisUnavailable } from './errors.ts'
import { probeByWrite } from './probe.ts'

/** What a guard needs of a client. `Redis` and `Cluster` of ioredis both have it. */
export interface GuardedClient {
  readonly status: string
  readonly isCluster?: boolean
  connect(): Promise<unknown>
  set(key: string, value: string, unit: 'PX', milliseconds: number): Promise<unknown>
  on(event: string, listener: (error: Error) => void): this
  off(event: string, listener: (error: Error) => void): this
}

export interface GuardOptions<C> {
  /** Longest that a call may take, in milliseconds. Default 100. */
  deadlineMs?: number | undefined
  /**
   * Failures in a row that open the breaker. A success in between makes up for a tenth of one only, so that a Cluster with
   * one dead master opens it as well. A lost connection opens it at once, and so does a probe that fails after a call was
   * not answered in time. Default 5.
   */
  maxFailures?: number | undefined
  /** Pause between two probes while the breaker is open, in milliseconds. Default 250, at most 500. */
  probeMs?: number | undefined
  /** Resolves when Redis works again. Default: writes keys that live for a second, see `probe.ts`. */
  probe?: ((client: C) => Promise<unknown>) | undefined
}

/** Writes that an outage held up, e.g. cache invalidations. */
export interface Backlog<C> {
  isPending(): boolean
  /** Writes what is pending; called again for what came in meanwhile. When it rejects, the breaker stays open for now. */
  flush(client: C): Promise<unknown>
}

export interface GuardStats {
  /** Calls that went to Redis. */
  calls: number
  /** Of them: those that an outage failed. */
  failures: number
  /** Of those: no answer by the deadline. */
  timeouts: number
  /** How often the breaker opened. */
  opened: number
}

export interface GuardEvents {
  /** The breaker opened, and why. */
  open: [reason: Error]
  /** The breaker closed after so many milliseconds. */
  close: [outageMs: number]
  /** A call was failed by an outage. */
  failure: [reason: Error]
}

export interface Guard<C = Redis> extends Pick<EventEmitter<GuardEvents>, 'on' | 'once' | 'off'> {
  readonly client: C
  /** Closed: calls run. Open: they are refused at once. */
  readonly state: 'closed' | 'open'
  /** Why the breaker is open. */
  readonly reason: Error | undefined
  /**
   * Runs `fn`. Its failure by an outage, and silence beyond the deadline, become `RedisUnavailable`; other errors pass
   * unchanged. The deadline undoes nothing: a frozen Redis may still carry out later what it was sent. Entries of a pipeline
   * fail without rejecting, so `fn` throws the error it finds among them.
   *
   * @throws RedisUnavailable (503)
   */
  call<T>(fn: (client: C) => Promise<T>): Promise<T>
  /** The breaker closes only when nothing of `backlog` is pending: the last look and the closing are one step. */
  beforeClose(backlog: Backlog<C>): void
  stats(): GuardStats
  /** Lets go of the client, which stays as it is. From then on every call is refused. */
  stop(): void
}

const MAX_FLUSH_ROUNDS = 50

/**
 * Puts a deadline and a circuit breaker around the calls of a client.
 *
 * While the breaker is open a probe in the background, never a caller, finds out whether Redis is back. It is open from the
 * start when the client is not connected.
 */
export function guard<C extends GuardedClient = Redis>(client: C, options: GuardOptions<C> = {}): Guard<C> {
  const { deadlineMs = 100, maxFailures = 5, probe = probeByWrite } = options
  if (!(deadlineMs > 0)) throw new Error('redis: the deadline of a command must be longer than 0 ms')
  const probeMs = Math.min(options.probeMs ?? 250, 500)
  const inTime = withDeadline(deadlineMs)
  const flushInTime = withDeadline(10 * deadlineMs)
  const events = new EventEmitter<GuardEvents>()
  const backlogs: Backlog<C>[] = []
  const stats: GuardStats = { calls: 0, failures: 0, timeouts: 0, opened: 0 }

  let reason = client.status === 'ready' ? undefined : new Error('Redis is not connected yet')
  let openedAt = performance.now()
  let score = 0
  let lastError: Error | undefined
  let timer: NodeJS.Timeout | undefined
  let isProbing = false
  /** A call was not answered in time, and whether that is an outage is being found out: nobody else waits for it. */
  let suspicion: Error | undefined
  let isStopped = false

  function call<T>(fn: (client: C) => Promise<T>): Promise<T> {
    if (reason !== undefined) {
      if (client.status === 'wait') client.connect().catch(noteError)
      return Promise.reject(new RedisUnavailable({ cause: reason }))
    }
    if (suspicion !== undefined) return Promise.reject(new RedisUnavailable({ cause: suspicion }))
    stats.calls++
    return inTime(() => fn(client)).then(succeeded, failed)
  }

  function succeeded<T>(value: T): T {
    if (score > 0) score -= 0.1
    return value
  }

  function failed(error: unknown): never {
    hideCommand(error)
    if (!isOutage(error)) {
      succeeded(undefined)
      throw error
    }
    stats.failures++
    const isLate = error instanceof DeadlineExceeded
    if (isLate) stats.timeouts++
    events.emit('failure', error)
    score++
    if (score >= maxFailures) open(error)
    else if (isLate) suspect(error)
    throw new RedisUnavailable({ cause: error })
  }

  /** So that no request, however many calls it makes, waits for more than one deadline. */
  function suspect(late: Error): void {
    if (suspicion !== undefined || isStopped) return
    suspicion = late
    inTime(() => probe(client))
      .catch(open)
      .finally(() => {
        suspicion = undefined
      })
  }

  function open(because: Error): void {
    const wasOpen = reason !== undefined
    reason = because
    if (wasOpen || isStopped) return
    openedAt = performance.now()
    stats.opened++
    probeLater()
    events.emit('open', because)
  }

  async function tryClose(): Promise<void> {
    // Without a connection there is nothing to ask; its return calls this again.
    if (reason === undefined || isProbing || isStopped || client.status !== 'ready') return
    isProbing = true
    try {
      await inTime(() => probe(client))
      for (let round = 0; backlogs.some((backlog) => backlog.isPending()); round++) {
        if (round === MAX_FLUSH_ROUNDS) throw new Error('The backlog grows faster than it is written')
        await flushInTime(() => Promise.all(backlogs.map((backlog) => backlog.flush(client))))
      }
      // No await between the last look at the backlogs and this: what a call was refused until now, is in one of them.
      if (client.status === 'ready' && !isStopped) reason = undefined
    } catch (error) {
      reason = error instanceof Error ? error : new Error('The probe failed')
    }
    isProbing = false
    if (reason !== undefined) return probeLater()
    score = 0
    lastError = undefined
    events.emit('close', Math.round(performance.now() - openedAt))
  }

  function probeLater(): void {
    clearTimeout(timer)
    if (!isStopped) timer = setTimeout(tryClose, probeMs).unref()
  }

  function noteError(error: Error): void {
    lastError = error
  }

  function disconnected(): void {
    open(lastError ?? new Error('The connection to Redis was lost'))
    lastError = undefined
  }

  function stop(): void {
    isStopped = true
    reason ??= new Error('The guard was stopped')
    clearTimeout(timer)
    client.off('ready', tryClose).off('close', disconnected).off('error', noteError)
  }

  client.on('ready', tryClose).on('close', disconnected).on('error', noteError)

  return {
    client,
    get state() {
      return reason === undefined ? 'closed' : 'open'
    },
    get reason() {
      return reason
    },
    call,
    beforeClose: (backlog) => backlogs.push(backlog),
    on: events.on.bind(events),
    once: events.once.bind(events),
    off: events.off.bind(events),
    stats: () => ({ ...stats }),
    stop
  }
}
