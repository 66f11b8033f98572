import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { memoryStore } from '../plugins/rate-limit/memory-store.ts'
import { policySet } from '../plugins/rate-limit/policy.ts'

// node bench/window-plot.ts: draws plugins/rate-limit/window.svg, what a caller who never stops asking gets around the
// border of a minute, from a window that begins anew with each minute and from the plugin's sliding one.

const MAX = 10
const WINDOW = 60
const STEP = 0.25
const [FROM, TO] = [50, 180]

const moments = Array.from({ length: (TO - FROM) / STEP }, (_, step) => FROM + step * STEP)

function fixedWindow(): number[] {
  const used = new Map<number, number>()
  return moments.filter((at) => {
    const minute = Math.floor(at / WINDOW)
    const calls = (used.get(minute) ?? 0) + 1
    used.set(minute, calls)
    return calls <= MAX
  })
}

async function slidingWindow(): Promise<number[]> {
  let now = 0
  const store = memoryStore({ maxKeys: 1000, now: () => now * 1000 })
  const set = policySet([{ name: 'calls', key: 'calls', max: MAX, seconds: WINDOW }])
  const passed: number[] = []
  for (const at of moments) {
    now = at
    const { isAllowed } = await store.take({ client: 'ip:a', set, cost: 1, isBlind: false })
    if (isAllowed) passed.push(at)
  }
  return passed
}

/** How many calls passed in the last minute, at every moment. */
const inLastMinute = (passed: number[]) =>
  moments.map((now) => passed.filter((at) => at > now - WINDOW && at <= now).length)

const [LEFT, TOP, WIDTH, HEIGHT] = [60, 50, 620, 220]
const x = (at: number) => (LEFT + ((at - FROM) / (TO - FROM)) * WIDTH).toFixed(1)
const y = (calls: number) => (TOP + HEIGHT - (calls / (2 * MAX)) * HEIGHT).toFixed(1)
const line = (counts: number[], color: string) =>
  `<path d="M${counts.map((count, step) => `${x(moments[step] ?? 0)} ${y(count)}`).join('L')}" fill="none" stroke="${color}" stroke-width="2"/>`
const label = (at: number, calls: number, text: string, color: string) =>
  `<text x="${x(at)}" y="${y(calls)}" fill="${color}">${text}</text>`

const [fixed, sliding] = [inLastMinute(fixedWindow()), inLastMinute(await slidingWindow())]
const borders = [60, 120].map(
  (at) =>
    `<path d="M${x(at)} ${TOP}V${TOP + HEIGHT}" stroke="#bbb"/><text x="${x(at)}" y="${TOP + HEIGHT + 18}" text-anchor="middle">${at} s</text>`
)
const levels = [0, MAX, 2 * MAX].map(
  (calls) => `<text x="${LEFT - 8}" y="${Number(y(calls)) + 4}" text-anchor="end">${calls}</text>`
)
const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="720" height="310" font-family="sans-serif" font-size="13">
  <title>Calls allowed around the border of a window: fixed against sliding</title>
  <rect width="100%" height="100%" fill="#fff"/>
  <text x="10" y="22">Calls that passed in the last ${WINDOW} s; ${MAX} are allowed, and the caller asks four times a second from second ${FROM} on</text>
  ${[...borders, ...levels].join('\n  ')}
  <path d="M${LEFT} ${y(MAX)}H${LEFT + WIDTH}" stroke="#e45756" stroke-dasharray="4 4"/>
  ${line(fixed, '#f58518')}
  ${line(sliding, '#4c78a8')}
  ${label(64, 2 * MAX + 0.6, 'fixed window: twice the maximum at the border', '#f58518')}
  ${label(64, MAX - 1.6, 'sliding window', '#4c78a8')}
</svg>
`
writeFileSync(join(import.meta.dirname, '../plugins/rate-limit/window.svg'), svg)
