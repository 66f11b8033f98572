import { header, labelText, requireLabelNames, sample } from './text.ts'

export interface GaugeSample {
  labels: Readonly<Record<string, string>>
  value: number
}

/** Read at each scrape; must be synchronous and cheap. One that throws is left out of the scrape and logged. */
export type Collect = () => number | readonly GaugeSample[]

export interface CollectedFamilyOptions {
  type: 'counter' | 'gauge'
  name: string
  help: string
  collect: Collect
  maxSeries: number
  /** Called once, when there are more samples than `maxSeries`: those beyond are left out. */
  onFull: () => void
  onError: (err: unknown) => void
}

/** A metric that something else keeps. */
export function collectedFamily(options: CollectedFamilyOptions): { render(): string } {
  const { type, name, help, collect, maxSeries, onFull, onError } = options
  let isFull = false

  function samples(): readonly GaugeSample[] {
    const found = collect()
    if (typeof found === 'number') return [{ labels: {}, value: found }]
    if (found.length <= maxSeries) return found
    if (!isFull) onFull()
    isFull = true
    return found.slice(0, maxSeries)
  }

  return {
    render() {
      try {
        // Two samples of one label set would make the whole scrape invalid: the last one counts.
        const byLabels = new Map<string, number>()
        for (const { labels, value } of samples()) {
          const names = Object.keys(labels)
          requireLabelNames(names, [])
          byLabels.set(labelText(names, Object.values(labels)), value)
        }
        let text = header(name, type, help)
        for (const [labels, value] of byLabels) text += sample(name, labels, value)
        return text
      } catch (err) {
        onError(err)
        return ''
      }
    }
  }
}
