import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Fastify from 'fastify'
import { Redis } from 'ioredis'
import { createCursors } from '../db/cursors.ts'
import { seedItems } from '../db/seed-bulk.ts'
import cache, { redisStore } from '../plugins/cache/index.ts'
import { guard } from '../plugins/redis/index.ts'
import { listItems } from '../routes/api/v1/items/queries.ts'
import { createFixture } from './fixture.ts'

// node bench/cache-plot.ts: draws plugins/cache/latency.svg, how long one reader waits for a page of items, with and without
// the cache. Pages are drawn at random from a hundred; every thousand reads somebody writes, and all of them are made anew.

const ITEMS = 100_000
const PAGES = 100
const READS = 10_000
const WRITE_EVERY = 1000
const PERCENTS = [...Array.from({ length: 99 }, (_, n) => n + 1), 99.5, 99.9]

const fixture = await createFixture()
const client = new Redis(fixture.env.REDIS_URL ?? '', { keyPrefix: fixture.env.REDIS_PREFIX ?? '' })
await client.ping()
const store = guard(client)
const cursors = createCursors([{ kid: 'bench', key: randomBytes(32) }])
const app = Fastify()
try {
  await seedItems(fixture.db, ITEMS)
  await app.register(cache, { caller: () => null, store: redisStore(store) })
  type Page = { Params: { page: number } }
  const schema = { params: { type: 'object', properties: { page: { type: 'integer' } } } }
  const read = ({ params: { page } }: { params: Page['Params'] }) =>
    listItems['-created_at'](fixture.db, cursors, { status: 'active' }, { page })
  app.get<Page>('/without/:page', { schema }, read)
  app.get<Page>('/with/:page', { schema, config: { cache: { key: 'page_{page}', tags: ['items'], ttl: 600 } } }, read)
  draw({ without: await latencies('without'), with: await latencies('with') })
} finally {
  await app.close()
  store.stop()
  client.disconnect()
  await fixture.drop()
}

/** In milliseconds, shortest first. */
async function latencies(route: 'with' | 'without'): Promise<number[]> {
  const times: number[] = []
  for (let n = 0; n < READS; n++) {
    if (n % WRITE_EVERY === 0) await app.cache.invalidate('items')
    const startedAt = performance.now()
    await app.inject(`/${route}/${1 + Math.floor(Math.random() * PAGES)}`)
    times.push(performance.now() - startedAt)
  }
  return times.sort((a, b) => a - b)
}

function draw(times: Record<'with' | 'without', number[]>): void {
  const [LEFT, TOP, WIDTH, HEIGHT] = [60, 50, 560, 240]
  const at = (sorted: number[], percent: number) => sorted[Math.ceil((sorted.length * percent) / 100) - 1] ?? Number.NaN
  const [low, high] = [0.03, 30].map(Math.log10) as [number, number]
  const x = (percent: number) => (LEFT + (percent / 100) * WIDTH).toFixed(1)
  const y = (ms: number) => (TOP + HEIGHT - ((Math.log10(ms) - low) / (high - low)) * HEIGHT).toFixed(1)
  const line = (sorted: number[], color: string, name: string, nameY: number) =>
    `<path d="M${PERCENTS.map((percent) => `${x(percent)} ${y(at(sorted, percent))}`).join('L')}" fill="none" stroke="${color}" stroke-width="2"/>
  <text x="${LEFT + 8}" y="${nameY}" fill="${color}">${name}: p50 ${at(sorted, 50).toFixed(2)} ms, p99 ${at(sorted, 99).toFixed(2)} ms</text>`
  const levels = [0.1, 1, 10].map(
    (ms) => `<path d="M${LEFT} ${y(ms)}h${WIDTH}" stroke="#ddd"/>
  <text x="${LEFT - 8}" y="${Number(y(ms)) + 4}" text-anchor="end">${ms} ms</text>`
  )
  const percents = [0, 25, 50, 75, 90, 100].map(
    (percent) => `<text x="${x(percent)}" y="${TOP + HEIGHT + 18}" text-anchor="middle">${percent} %</text>`
  )
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="660" height="330" font-family="sans-serif" font-size="13">
  <title>Latency of a page of items, with and without the cache</title>
  <rect width="100%" height="100%" fill="#fff"/>
  <text x="10" y="22">Share of ${READS.toLocaleString('en')} reads answered within so long (logarithmic); a write every ${WRITE_EVERY} reads</text>
  ${[...levels, ...percents].join('\n  ')}
  ${line(times.without, '#f58518', 'without', TOP)}
  ${line(times.with, '#4c78a8', 'with the cache in Redis', TOP + 18)}
</svg>
`
  writeFileSync(join(import.meta.dirname, '../plugins/cache/latency.svg'), svg)
}
