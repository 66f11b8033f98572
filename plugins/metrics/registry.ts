import { type Collect, collectedFamily } from './collected.ts'
import { type Counter, counterFamily } from './counter.ts'
import { type Histogram, histogramFamily } from './histogram.ts'
import { requireMetricName } from './text.ts'

/** Names are `[a-zA-Z_][a-zA-Z0-9_]*` and taken once; every metric has a help text. Else these throw. */
export interface Metrics {
  /** A counter; its name ends with `_total`. */
  counter<const L extends string = never>(name: string, help: string, labelNames?: readonly L[]): Counter<L>
  /** A figure that something else keeps, read at each scrape. */
  gauge(name: string, help: string, collect: Collect): void
  /** A histogram; `buckets` are ascending upper bounds, by default seconds from 1 ms to 10 s. */
  histogram<const L extends string = never>(
    name: string,
    help: string,
    labelNames?: readonly L[],
    buckets?: readonly number[]
  ): Histogram<L>
}

export interface Registry extends Metrics {
  /** As `gauge`, for figures that only grow. */
  collectedCounter(name: string, help: string, collect: Collect): void
  /** As in `Metrics`, with a limit of its own for label sets that are bounded anyway. */
  histogram<const L extends string = never>(
    name: string,
    help: string,
    labelNames?: readonly L[],
    buckets?: readonly number[],
    limit?: number
  ): Histogram<L>
  /** All metrics in the text format. */
  render(): string
}

export interface RegistryOptions {
  /** Series one metric may have. */
  maxSeries: number
  /** Called once per metric that has more. */
  onFull: (metric: string) => void
  /** Called when a `collect` throws. */
  onError: (metric: string, err: unknown) => void
}

export function createRegistry({ maxSeries, onFull, onError }: RegistryOptions): Registry {
  const taken = new Set<string>()
  const families: Array<{ render(): string }> = []

  function add(names: [string, ...string[]], help: string, family: { render(): string }): void {
    for (const name of names) {
      requireMetricName(name)
      if (taken.has(name)) throw new Error(`Metric is already registered: ${name}`)
    }
    if (help === '') throw new TypeError(`Metric has no help text: ${names[0]}`)
    for (const name of names) taken.add(name)
    families.push(family)
  }

  function addCollected(type: 'counter' | 'gauge', name: string, help: string, collect: Collect): void {
    const on = { onFull: () => onFull(name), onError: (err: unknown) => onError(name, err) }
    add([name], help, collectedFamily({ type, name, help, collect, maxSeries, ...on }))
  }

  return {
    counter(name, help, labelNames = []) {
      requireTotal(name)
      const family = counterFamily({ name, help, labelNames, maxSeries, onFull: () => onFull(name) })
      add([name], help, family)
      return family.counter
    },
    gauge(name, help, collect) {
      if (name.endsWith('_total')) throw new TypeError(`Only counters end with _total: ${name}`)
      addCollected('gauge', name, help, collect)
    },
    collectedCounter(name, help, collect) {
      requireTotal(name)
      addCollected('counter', name, help, collect)
    },
    histogram(name, help, labelNames = [], buckets, limit = maxSeries) {
      const on = { onFull: () => onFull(name) }
      const family = histogramFamily({ name, help, labelNames, buckets, maxSeries: limit, ...on })
      add([name, `${name}_bucket`, `${name}_sum`, `${name}_count`], help, family)
      return family.histogram
    },
    render: () => families.map((family) => family.render()).join('')
  }
}

function requireTotal(name: string): void {
  if (!name.endsWith('_total')) throw new TypeError(`Counter name must end with _total: ${name}`)
}
