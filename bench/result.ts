import type { Measured, Slice } from './measure.ts'
import type { Workload } from './workload.ts'

export interface Spread {
  min: number
  median: number
  max: number
}

/** The figures of one workload, as they are kept in `results/<workload>.json`. */
export interface Result {
  workload: string
  date: string
  node: string
  goal: number
  /** Whether the goal is for p99 in ms, not for `ratio`. */
  isLatency: boolean
  hooks: string
  ours: Figures
  baseline: Figures
  /** CPU time per request of the baseline ÷ ours, round by round. 1 = nothing on top of it. */
  ratio: Spread
  /** The same of two instances of the baseline: what is noise. */
  noise: Spread
  /** Share of our requests that a cache served, where there is one. */
  hitRate?: number
}

interface Figures {
  requestsPerSecond: Spread
  /** Latency in ms. */
  p50: Spread
  p99: Spread
  /** CPU time of the server per request, in µs. */
  cpuMicros: Spread
  slices: Slice[]
}

/** @param measured slices of our server, the baseline, and the baseline again */
export function summarize(name: string, workload: Workload, { slices, misses }: Measured): Result {
  const { goal, hooks, meanwhile } = workload
  const [ours = [], baseline = [], again = []] = slices
  const requests = ours.reduce((sum, slice) => sum + slice.requests, 0)
  return {
    workload: name,
    date: new Date().toISOString(),
    node: process.version,
    goal,
    isLatency: meanwhile !== undefined,
    hooks,
    ours: figures(ours),
    baseline: figures(baseline),
    ratio: spread(ratios(baseline, ours)),
    noise: spread(ratios(baseline, again)),
    ...(misses !== undefined && { hitRate: 1 - misses / requests })
  }
}

function figures(slices: Slice[]): Figures {
  return {
    requestsPerSecond: spread(slices.map((slice) => slice.requestsPerSecond)),
    p50: spread(slices.map((slice) => slice.p50)),
    p99: spread(slices.map((slice) => slice.p99)),
    cpuMicros: spread(slices.map((slice) => slice.cpuMicros)),
    slices
  }
}

function ratios(above: Slice[], below: Slice[]): number[] {
  return above.map(({ cpuMicros }, round) => cpuMicros / (below[round]?.cpuMicros ?? Number.NaN))
}

function spread(values: number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (index: number) => sorted[index] ?? Number.NaN
  const middle = (sorted.length - 1) / 2
  return { min: at(0), median: (at(Math.floor(middle)) + at(Math.ceil(middle))) / 2, max: at(sorted.length - 1) }
}
