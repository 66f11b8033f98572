import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { JobsResult } from './jobs/index.ts'
import { plot } from './plot.ts'
import type { Result, Spread } from './result.ts'

const folder = join(import.meta.dirname, 'results')

/** Writes `results/<workload>.json` for each, and `results/ratios.svg` of all. */
export function saveResults(results: Result[]): void {
  mkdirSync(folder, { recursive: true })
  for (const result of results) {
    writeFileSync(join(folder, `${result.workload}.json`), `${JSON.stringify(result, null, 2)}\n`)
  }
  writeFileSync(join(folder, 'ratios.svg'), plot(results.filter(({ isLatency }) => !isLatency)))
}

/** Writes `results/jobs.json`. */
export function saveJobs(result: JobsResult): void {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'jobs.json'), `${JSON.stringify(result, null, 2)}\n`)
}

export function jobsTable({ start, rates, drain }: JobsResult): string {
  const isMet = (met: boolean) => (met ? 'met' : 'missed')
  const rows = rates.map(({ name, jobs, perSecond, goal }) => [
    `${name}, ${jobs} jobs`,
    `${perSecond.toFixed(0)}/s`,
    goal === undefined ? '' : `≥ ${goal}/s ${isMet(perSecond >= goal)}`
  ])
  return aligned([
    ['jobs', 'figure', 'goal'],
    [
      'enqueue to start, p50 / p99',
      `${start.p50} / ${start.p99} ms`,
      `p50 ≤ ${start.goal} ms ${isMet(start.p50 <= start.goal)}`
    ],
    ...rows,
    ['the last of them, by tenths', drain.map((rate) => rate.toFixed(0)).join(' '), 'does not slow down']
  ])
}

/** In a few words, for who is watching. */
export function summary(result: Result): string {
  const { isLatency, ratio, ours } = result
  return `${isLatency ? `p99 ${ours.p99.median.toFixed(1)} ms` : spreadText(ratio)}, goal ${goalText(result)}`
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
    result.isLatency ? '' : spreadText(result.ratio),
    result.isLatency ? '' : spreadText(result.noise),
    goalText(result),
    `${result.ours.p50.median.toFixed(1)} / ${result.ours.p99.median.toFixed(1)}`,
    result.hooks,
    notesText(result)
  ])
  return aligned([head, ...rows])
}

function aligned([head = [], ...rows]: string[][]): string {
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column]?.length ?? 0)))
  const line = (cells: string[]) => `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n')
}

function goalText({ goal, isLatency, ours, ratio }: Result): string {
  const isMet = isLatency ? ours.p99.median <= goal : ratio.median >= goal
  return `${isLatency ? `p99 ≤ ${goal} ms` : goal.toFixed(2)} ${isMet ? 'met' : 'missed'}`
}

function notesText({ hitRate, isLatency, baseline }: Result): string {
  if (isLatency) return `baseline p99 ${baseline.p99.median.toFixed(1)} ms`
  return hitRate === undefined ? '' : `cache hits ${(hitRate * 100).toFixed(1)} %`
}

function spreadText({ min, median, max }: Spread): string {
  return [min, median, max].map((value) => value.toFixed(2)).join(' / ')
}
