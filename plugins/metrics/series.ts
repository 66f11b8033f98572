import { labelText, requireLabelNames } from './text.ts'

export type Labels<L extends string> = Readonly<Record<L, string>>

/** The label value under which everything beyond the limit is counted. */
const other = '(other)'

export interface SeriesOptions<S> {
  labelNames: readonly string[]
  maxSeries: number
  create: () => S
  /** Called once, when a label set first finds no room. */
  onFull: () => void
}

export interface Series<S> {
  /** @throws {TypeError} when `labels` are not exactly the declared names with text values. */
  get(labels: Labels<string> | undefined): S
  entries(): Iterable<[labels: string, series: S]>
}

/** One value per label set, bounded: label values may come from data, memory must not. */
export function createSeries<S>({ labelNames, maxSeries, create, onFull }: SeriesOptions<S>): Series<S> {
  requireLabelNames(labelNames, [])
  const byLabels = new Map<string, S>()
  let rest: S | undefined
  // A series without labels is there from the start, so that `rate()` sees its first step.
  if (labelNames.length === 0) byLabels.set('', create())

  return {
    get(labels = {}) {
      const key = labelText(labelNames, labelValues(labelNames, labels))
      const known = byLabels.get(key)
      if (known !== undefined) return known
      if (byLabels.size >= maxSeries) return overflow()
      const added = create()
      byLabels.set(key, added)
      return added
    },
    entries: () => byLabels
  }

  function overflow(): S {
    if (rest === undefined) {
      rest = create()
      byLabels.set(
        labelText(
          labelNames,
          labelNames.map(() => other)
        ),
        rest
      )
      onFull()
    }
    return rest
  }
}

function labelValues(names: readonly string[], labels: Labels<string>): string[] {
  if (Object.keys(labels).length !== names.length) throw new TypeError(`Labels must be exactly: ${names.join(', ')}`)
  return names.map((name) => {
    const value = labels[name]
    if (typeof value !== 'string') throw new TypeError(`Label must be text: ${name}`)
    return value
  })
}
