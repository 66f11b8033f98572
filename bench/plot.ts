import type { Result } from './result.ts'

const LEFT = 120
const UNIT = 400
const ROW = 40
const TOP = 50

/** A picture of the CPU ratios: a bar to the median, a whisker from min to max, a mark at the goal, a line at 1. */
export function plot(results: Result[]): string {
  const height = TOP + results.length * ROW + 20
  const x = (ratio: number) => (LEFT + Math.min(ratio, 1.4) * UNIT).toFixed(1)
  const rows = results.map(({ workload, ratio, goal }, index) => {
    const y = TOP + index * ROW
    const middle = y + 10
    return `
  <text x="${LEFT - 10}" y="${y + 15}" text-anchor="end">${workload}</text>
  <rect x="${LEFT}" y="${y}" width="${(ratio.median * UNIT).toFixed(1)}" height="20" fill="#4c78a8"/>
  <path d="M${x(ratio.min)} ${middle}H${x(ratio.max)}" stroke="#222"/>
  <path d="M${x(goal)} ${y - 4}v28" stroke="#e45756" stroke-width="3"/>
  <text x="${x(ratio.max)}" dx="8" y="${y + 15}">${ratio.median.toFixed(2)}</text>`
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" width="720" height="${height}" font-family="sans-serif" font-size="13">
  <rect width="100%" height="100%" fill="#fff"/>
  <text x="10" y="22">CPU time per request, baseline ÷ ours (bar: median, whisker: min–max, red: goal, dashed: the baseline)</text>
  <path d="M${x(1)} ${TOP - 10}V${height - 10}" stroke="#888" stroke-dasharray="4 4"/>${rows.join('')}
</svg>
`
}
