import assert from 'node:assert/strict'

export interface Sample {
  name: string
  labels: Record<string, string>
  value: number
}

export interface Family {
  type: string
  help: string
  samples: Sample[]
}

const namePattern = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/
const samplePattern = /^([^{ ]+)(?:\{(.*)\})? (\S+)$/
const labelPattern = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,(?!$)|$)/y
const valuePattern = /^(?:NaN|[+-]Inf|-?\d+(?:\.\d+)?(?:e[+-]\d+)?)$/

/** Reads the Prometheus text format 0.0.4 and throws at whatever a scraper or its linter would object to. */
export function parseExposition(text: string): Map<string, Family> {
  assert.ok(text.endsWith('\n'), 'the last line ends with a line feed')
  const families = new Map<string, Family>()
  const seen = new Set<string>()
  let current: { name: string; family: Family } | undefined

  for (const line of text.slice(0, -1).split('\n')) {
    const [, keyword, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? []
    if (keyword === 'HELP') {
      assert.match(name, namePattern)
      assert.ok(!families.has(name), `one HELP for ${name}`)
      current = { name, family: { type: '', help: unescapeText(rest), samples: [] } }
      families.set(name, current.family)
    } else if (keyword === 'TYPE') {
      assert.equal(name, current?.name, 'TYPE follows its HELP')
      assert.match(rest, /^(counter|gauge|histogram)$/)
      assert.ok(current && current.family.type === '')
      current.family.type = rest
    } else {
      assert.ok(current && current.family.type !== '', `a sample after HELP and TYPE: ${line}`)
      const sample = parseSample(line)
      const bare = current.family.type === 'histogram' ? sample.name.replace(/_(bucket|sum|count)$/, '') : sample.name
      assert.equal(bare, current.name, `a sample below its own family: ${line}`)
      const key = `${sample.name}${JSON.stringify(Object.entries(sample.labels).sort())}`
      assert.ok(!seen.has(key), `one sample a series: ${line}`)
      seen.add(key)
      current.family.samples.push(sample)
    }
  }
  for (const [name, family] of families) if (family.type === 'histogram') checkHistogram(name, family)
  return families
}

/** The value of one series, undefined when it is not there. */
export function seriesValue(text: string, name: string, labels: Record<string, string> = {}): number | undefined {
  const samples = [...parseExposition(text).values()].flatMap((family) => family.samples)
  const wanted = JSON.stringify(Object.entries(labels).sort())
  return samples.find((one) => one.name === name && JSON.stringify(Object.entries(one.labels).sort()) === wanted)?.value
}

function parseSample(line: string): Sample {
  const [, name = '', labelsText, valueText = ''] = samplePattern.exec(line) ?? []
  assert.match(name, namePattern, line)
  assert.match(valueText, valuePattern, line)
  const labels: Record<string, string> = {}
  labelPattern.lastIndex = 0
  while (labelsText !== undefined && labelPattern.lastIndex < labelsText.length) {
    const [, label = '', value = ''] = labelPattern.exec(labelsText) ?? assert.fail(`labels: ${line}`)
    assert.ok(!(label in labels), `one ${label}: ${line}`)
    labels[label] = unescapeText(value)
  }
  return { name, labels, value: Number(valueText.replace('Inf', 'Infinity')) }
}

function unescapeText(text: string): string {
  return text.replaceAll(/\\(.)/g, (_, escaped) => (escaped === 'n' ? '\n' : escaped))
}

function checkHistogram(name: string, { samples }: Family): void {
  const groups = Map.groupBy(samples, ({ labels: { le: _, ...labels } }) => JSON.stringify(labels))
  for (const group of groups.values()) {
    const buckets = group.filter((one) => one.name === `${name}_bucket`)
    const bounds = buckets.map(({ labels }) => Number(labels.le?.replace('Inf', 'Infinity')))
    assert.deepEqual(
      bounds,
      bounds.toSorted((a, b) => a - b)
    )
    assert.equal(bounds.at(-1), Infinity)
    const counts = buckets.map(({ value }) => value)
    assert.deepEqual(
      counts,
      counts.toSorted((a, b) => a - b)
    )
    assert.equal(group.find((one) => one.name === `${name}_count`)?.value, counts.at(-1))
    assert.equal(group.filter((one) => one.name === `${name}_sum`).length, 1)
  }
}
