import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { plot } from './plot.ts'
import type { Result, Spread } from './result.ts'

const folder = join(import.meta.dirname, 'results')

/** Writes `results/<workload>.json` for each, and `results/ratios.svg` of all. */
export function saveResults(results: Result[]): void {
  mkdirSync(folder, { recursive: true })
  for (const result of results) {
    writeFileSync(join(folder, `${result.workload}.json`), `${JSON.stringify(result, null, 2)}\n`)
  }
  writeFileSync(join(folder, 'ratios.svg'), plot(results))
}

/** One Markdown table of all results, its columns aligned. */
export function table(results: Result[]): string {
  const head = [
    ...['workload', 'req/s', 'µs/req ours', 'µs/req baseline', 'CPU ratio min / median / max', 'A/A', 'goal'],
    ...['p50 / p99 ms', 'hooks on', 'notes']
  ]
  const rows = results.map((result) => [
    result.workload,
    result.ours.requestsPerSecond.median.toFixed(0),
    result.ours.cpuMicros.median.toFixed(1),
    result.baseline.cpuMicros.median.toFixed(1),
    spreadText(result.ratio),
    spreadText(result.noise),
    `${result.goal.toFixed(2)} ${result.ratio.median >= result.goal ? 'met' : 'missed'}`,
    `${result.ours.p50.median.toFixed(1)} / ${result.ours.p99.median.toFixed(1)}`,
    result.hooks,
    result.hitRate === undefined ? '' : `cache hits ${(result.hitRate * 100).toFixed(1)} %`
  ])
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column]?.length ?? 0)))
  const line = (cells: string[]) => `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n')
}

function spreadText({ min, median, max }: Spread): string {
  return [min, median, max].map((value) => value.toFixed(2)).join(' / ')
}
