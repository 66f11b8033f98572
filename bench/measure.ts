import { setTimeout as sleep } from 'node:timers/promises'
import type { Server } from './server.ts'
import { type Load, runWrk, type Traffic } from './wrk.ts'

const WARM_UP_SECONDS = 3
/** A large application is compiled later than a small one. */
const WARM_UP_SLICES = 3
/** PostgreSQL publishes what an idle connection counted after ten seconds. */
const COUNTERS_SETTLE_MS = 11_000

/** One slice of load on one server. */
export interface Slice extends Load {
  /** CPU time of the server per request, in µs. */
  cpuMicros: number
}

export interface Measured {
  /** The slices of each server, one a round. */
  slices: Slice[][]
  /** What `countMisses` rose by while the slices ran. */
  misses: number | undefined
}

export interface MeasureOptions {
  traffic: Traffic
  /** Sent by others at the same time. */
  meanwhile: Traffic | undefined
  /** Length of a slice. */
  seconds: number
  rounds: number
  signal: AbortSignal
  /** What the servers remember ends by itself: it is dropped and made anew that often, between the rounds. */
  renewal: { everySeconds: number; drop(): Promise<void> } | undefined
  countMisses(): Promise<number | undefined>
}

/**
 * Loads the servers in turns, A B C, C B A, …: whatever else the machine does meets all of them alike. Nothing that
 * happens during the warm-up counts.
 */
export async function measure(servers: Server[], options: MeasureOptions): Promise<Measured> {
  const { traffic, meanwhile, seconds, rounds, signal, renewal } = options
  let renewedAt = performance.now()
  for (const server of servers) await warmUp(server, options)
  const missesBefore = await settledMisses(options)
  const turns = servers.map((server) => ({ server, slices: [] as Slice[] }))
  for (let round = 0; round < rounds; round++) {
    if (renewal !== undefined && performance.now() - renewedAt > renewal.everySeconds * 1000) {
      renewedAt = performance.now()
      await renewal.drop()
      for (const server of servers) await sendAll(server, traffic, signal)
    }
    for (const { server, slices } of round % 2 === 0 ? turns : turns.toReversed()) {
      signal.throwIfAborted()
      const before = server.cpuMicros()
      const [load] = await Promise.all([
        runWrk(server, traffic, seconds),
        meanwhile && runWrk(server, meanwhile, seconds)
      ])
      slices.push({ ...load, cpuMicros: (server.cpuMicros() - before) / load.requests })
    }
  }
  const misses = await settledMisses(options)
  return {
    slices: turns.map(({ slices }) => slices),
    misses: misses === undefined || missesBefore === undefined ? undefined : misses - missesBefore
  }
}

/** Compiles what is hot, and sends every request once, so that no slice measures caches being filled. */
async function warmUp(server: Server, { traffic, meanwhile, signal }: MeasureOptions): Promise<void> {
  for (const each of meanwhile ? [traffic, meanwhile] : [traffic]) await sendAll(server, each, signal, WARM_UP_SLICES)
}

async function sendAll(server: Server, traffic: Traffic, signal: AbortSignal, minSlices = 1): Promise<void> {
  for (let sent = 0, slices = 0; sent < traffic.count || slices < minSlices; slices++) {
    signal.throwIfAborted()
    sent += (await runWrk(server, traffic, WARM_UP_SECONDS, sent)).requests
  }
}

async function settledMisses({ countMisses, signal }: MeasureOptions): Promise<number | undefined> {
  if ((await countMisses()) === undefined) return undefined
  await sleep(COUNTERS_SETTLE_MS, undefined, { signal })
  return countMisses()
}
