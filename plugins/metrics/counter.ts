import { createSeries, type Labels } from './series.ts'
import { header, sample } from './text.ts'

export interface Counter<L extends string = never> {
  /**
   * Adds `n` (default 1, at least 0) to the series of these labels.
   * @throws {TypeError} when the labels are not exactly the declared ones, {RangeError} for a negative or infinite `n`.
   */
  inc(labels?: Labels<L>, n?: number): void
  /** The one series of these labels, to be kept by code that runs on each request: no look-up at all. */
  bind(labels: Labels<L>): { inc(n?: number): void }
}

export interface CounterFamilyOptions<L extends string> {
  name: string
  help: string
  labelNames: readonly L[]
  maxSeries: number
  onFull: () => void
}

export function counterFamily<L extends string>(
  options: CounterFamilyOptions<L>
): { counter: Counter<L>; render(): string } {
  const { name, help, labelNames, maxSeries, onFull } = options
  const series = createSeries({ labelNames, maxSeries, create: () => ({ value: 0 }), onFull })

  function add(one: { value: number }, n: number): void {
    if (!(n >= 0 && n < Infinity)) throw new RangeError(`${name}: a counter only grows, got ${n}`)
    one.value += n
  }

  return {
    counter: {
      inc: (labels, n = 1) => add(series.get(labels), n),
      bind(labels) {
        const one = series.get(labels)
        return { inc: (n = 1) => add(one, n) }
      }
    },
    render() {
      let text = header(name, 'counter', help)
      for (const [labels, { value }] of series.entries()) text += sample(name, labels, value)
      return text
    }
  }
}
