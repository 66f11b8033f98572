import { createSeries, type Labels } from './series.ts'
import { header, labelText, numberText, requireLabelNames, sample } from './text.ts'

export interface BoundHistogram {
  observe(value: number): void
}

export interface Histogram<L extends string = never> {
  /** Records one value. @throws {RangeError} unless it is finite, {TypeError} when the labels are not the declared ones. */
  observe(value: number, labels?: Labels<L>): void
  /** The one series of these labels, to be kept by code that runs on each request: no look-up at all. */
  bind(labels: Labels<L>): BoundHistogram
}

export interface HistogramFamilyOptions<L extends string> {
  name: string
  help: string
  labelNames: readonly L[]
  buckets: readonly number[] | undefined
  maxSeries: number
  onFull: () => void
}

const secondsBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

export function histogramFamily<L extends string>(
  options: HistogramFamilyOptions<L>
): { histogram: Histogram<L>; render(): string } {
  const { name, help, labelNames, buckets = secondsBuckets, maxSeries, onFull } = options
  requireLabelNames(labelNames, ['le'])
  requireBuckets(name, buckets)
  const bounds = Float64Array.from(buckets)
  const series = createSeries({ labelNames, maxSeries, create: () => new HistogramSeries(bounds), onFull })
  const les = [...buckets, Infinity].map((bound) => labelText(['le'], [numberText(bound)]))

  return {
    histogram: {
      observe: (value, labels) => series.get(labels).observe(value),
      bind: (labels) => series.get(labels)
    },
    render() {
      let text = header(name, 'histogram', help)
      for (const [labels, one] of series.entries()) {
        let total = 0
        les.forEach((le, i) => {
          total += one.counts[i] ?? 0
          text += sample(`${name}_bucket`, labels === '' ? le : `${labels},${le}`, total)
        })
        text += sample(`${name}_sum`, labels, one.sum) + sample(`${name}_count`, labels, total)
      }
      return text
    }
  }
}

/** Values per bucket, each counted once: they are added up when rendered, which is rare. */
class HistogramSeries implements BoundHistogram {
  readonly counts: Float64Array
  sum = 0
  readonly #bounds: Float64Array

  constructor(bounds: Float64Array) {
    this.#bounds = bounds
    this.counts = new Float64Array(bounds.length + 1)
  }

  observe(value: number): void {
    if (!Number.isFinite(value)) throw new RangeError(`Not a value to observe: ${value}`)
    const bounds = this.#bounds
    let i = 0
    // The `?? 0` here and below never apply: the indexes stay inside.
    while (i < bounds.length && value > (bounds[i] ?? 0)) i++
    this.counts[i] = (this.counts[i] ?? 0) + 1
    this.sum += value
  }
}

function requireBuckets(name: string, buckets: readonly number[]): void {
  const isAscending = buckets.every((bound, i) => Number.isFinite(bound) && (i === 0 || bound > (buckets[i - 1] ?? 0)))
  if (buckets.length === 0 || !isAscending) throw new RangeError(`${name}: buckets must be finite and ascending`)
}
