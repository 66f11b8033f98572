import Fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import metrics, { type MetricsOptions } from '../../../plugins/metrics/index.ts'
import { parseExposition, seriesValue } from './exposition.ts'

interface LogLine {
  level: number
  metric?: string
  err?: { message: string }
}

async function start(t: Test, options: MetricsOptions = {}): Promise<{ app: FastifyInstance; lines: LogLine[] }> {
  const lines: LogLine[] = []
  const stream = { write: (line: string) => void lines.push(JSON.parse(line)) }
  const app = Fastify({ logger: { level: 'warn', stream } })
  t.teardown(() => app.close())
  await app.register(metrics, options)
  return { app, lines }
}

const scrape = async (app: FastifyInstance) => (await app.inject('/metrics')).body

t.test('a counter grows, by one or more, for each label set apart', async (t) => {
  const { app } = await start(t)
  const plain = app.metrics.counter('restarts_total', 'Restarts')
  const labelled = app.metrics.counter('jobs_total', 'Jobs', ['queue', 'outcome'])
  const done = labelled.bind({ queue: 'mail', outcome: 'done' })

  t.equal(seriesValue(await scrape(app), 'restarts_total'), 0, 'without labels it starts at zero')
  plain.inc()
  plain.inc({}, 2.5)
  done.inc()
  done.inc(3)
  labelled.inc({ outcome: 'done', queue: 'mail' })
  labelled.inc({ queue: 'mail', outcome: 'failed' }, 7)
  const text = await scrape(app)

  t.equal(seriesValue(text, 'restarts_total'), 3.5)
  t.equal(seriesValue(text, 'jobs_total', { queue: 'mail', outcome: 'done' }), 5)
  t.equal(seriesValue(text, 'jobs_total', { queue: 'mail', outcome: 'failed' }), 7)
  t.equal(parseExposition(text).get('jobs_total')?.type, 'counter')
})

t.test('a counter refuses to shrink and labels it was not declared with', async (t) => {
  const { app } = await start(t)
  const counter = app.metrics.counter('jobs_total', 'Jobs', ['queue'])

  for (const n of [-1, Number.NaN, Infinity]) t.throws(() => counter.inc({ queue: 'mail' }, n), RangeError)
  t.throws(() => counter.inc(), /exactly: queue/)
  t.throws(() => counter.inc({ queue: 'mail', extra: 'x' } as { queue: string }), /exactly: queue/)
  t.throws(() => counter.inc({ other: 'x' } as unknown as { queue: string }), /must be text: queue/)
  t.equal(seriesValue(await scrape(app), 'jobs_total', { queue: 'mail' }), 0)
})

t.test('a gauge is read at each scrape', async (t) => {
  const { app } = await start(t)
  let size = 1
  app.metrics.gauge('pool_size', 'Connections', () => size)
  app.metrics.gauge('pool_connections', 'Connections by state', () => [
    { labels: { state: 'idle' }, value: size },
    { labels: { state: 'busy' }, value: Number.NaN },
    { labels: { state: 'idle' }, value: size + 1 }
  ])

  t.equal(seriesValue(await scrape(app), 'pool_size'), 1)
  size = 5
  const text = await scrape(app)

  t.equal(seriesValue(text, 'pool_size'), 5)
  t.equal(
    seriesValue(text, 'pool_connections', { state: 'idle' }),
    6,
    'of two samples with equal labels the last counts'
  )
  t.match(text, /^pool_connections\{state="busy"\} NaN$/m)
})

t.test('a gauge that throws is left out and logged; the others are shown', async (t) => {
  const { app, lines } = await start(t)
  app.metrics.gauge('broken', 'Throws', () => {
    throw new Error('no figure')
  })
  app.metrics.gauge('mislabelled', 'Bad label name', () => [{ labels: { 'a-b': 'x' }, value: 1 }])
  app.metrics.gauge('fine', 'Works', () => 1)

  const families = parseExposition(await scrape(app))

  t.notOk(families.has('broken'))
  t.notOk(families.has('mislabelled'))
  t.ok(families.has('fine'))
  t.match(lines, [
    { level: 50, metric: 'broken', err: { message: 'no figure' } },
    { level: 50, metric: 'mislabelled' }
  ])
})

t.test('a histogram counts each value in its bucket, bounds included', async (t) => {
  const { app } = await start(t)
  const histogram = app.metrics.histogram('batch_size', 'Rows of a batch', ['table'], [1, 10])
  const todos = histogram.bind({ table: 'todos' })

  for (const value of [-1, 0.5, 1, 1.5, 10, 11]) todos.observe(value)
  histogram.observe(3, { table: 'todos' })
  const text = await scrape(app)

  const bucket = (le: string) => seriesValue(text, 'batch_size_bucket', { table: 'todos', le })
  t.same([bucket('1'), bucket('10'), bucket('+Inf')], [3, 6, 7])
  t.equal(seriesValue(text, 'batch_size_sum', { table: 'todos' }), 26)
  t.equal(seriesValue(text, 'batch_size_count', { table: 'todos' }), 7)
  for (const value of [Number.NaN, Infinity]) t.throws(() => todos.observe(value), RangeError)
})

t.test('label values and help texts are escaped', async (t) => {
  const { app } = await start(t)
  const hostile = 'a"b\\c\nd} 1\nfake_total 9'
  app.metrics.counter('things_total', 'Back\\slash and\nline', ['kind']).inc({ kind: hostile })

  const families = parseExposition(await scrape(app))

  t.notOk(families.has('fake_total'))
  t.match(families.get('things_total'), { help: 'Back\\slash and\nline', samples: [{ labels: { kind: hostile } }] })
})

t.test('label values that come without end are counted together, and one log line tells', async (t) => {
  const { app, lines } = await start(t, { maxSeries: 3 })
  const counter = app.metrics.counter('visits_total', 'Visits', ['page', 'kind'])
  const histogram = app.metrics.histogram('visit_seconds', 'Visits', ['page'], [1])
  app.metrics.gauge('pages', 'Pages', () => Array.from({ length: 9 }, (_, i) => ({ labels: { i: `${i}` }, value: i })))

  for (let i = 0; i < 100; i++) {
    counter.inc({ page: `${i}`, kind: 'x' })
    histogram.observe(0.5, { page: `${i}` })
  }
  counter.inc({ page: '1', kind: 'x' })
  const text = await scrape(app)
  await scrape(app)

  const families = parseExposition(text)
  t.equal(families.get('visits_total')?.samples.length, 4, 'three and the rest')
  t.equal(seriesValue(text, 'visits_total', { page: '(other)', kind: '(other)' }), 97)
  t.equal(seriesValue(text, 'visits_total', { page: '1', kind: 'x' }), 2, 'known ones go on')
  t.equal(seriesValue(text, 'visit_seconds_count', { page: '(other)' }), 97)
  t.equal(families.get('pages')?.samples.length, 3)
  t.match(
    lines.map(({ metric }) => metric),
    ['visits_total', 'visit_seconds', 'pages']
  )
})

t.test('names that are taken or not valid are refused', async (t) => {
  const { metrics: m } = (await start(t)).app
  const zero = () => 0
  m.histogram('job_seconds', 'Jobs')

  t.throws(() => m.gauge('job_seconds', 'Jobs', zero), /already registered: job_seconds/)
  t.throws(() => m.gauge('job_seconds_sum', 'Jobs', zero), /already registered: job_seconds_sum/)
  t.throws(() => m.gauge('http_request_duration_seconds', 'Mine', zero), /already registered/)
  for (const name of ['', '1st', 'a-b', 'a b', 'a:b', 'ä']) t.throws(() => m.gauge(name, 'Help', zero), TypeError, name)
  t.throws(() => m.counter('jobs', 'Jobs'), /must end with _total/)
  t.throws(() => m.gauge('jobs_total', 'Jobs', zero), /Only counters end with _total/)
  t.throws(() => m.counter('jobs_total', ''), /no help text/)
  for (const label of ['', '__name__', 'a-b', '1st']) {
    t.throws(() => m.counter('labelled_total', 'Help', [label]), TypeError, label)
  }
  t.throws(() => m.counter('labelled_total', 'Help', ['a', 'a']), /repeat/)
  t.throws(() => m.histogram('labelled', 'Help', ['le']), /Not a label name: le/)
  for (const buckets of [[], [2, 1], [1, 1], [1, Infinity], [Number.NaN]]) {
    t.throws(() => m.histogram('bucketed', 'Help', [], buckets), RangeError)
  }
})

t.test('a refused metric leaves its name free', async (t) => {
  const { app } = await start(t)
  t.throws(() => app.metrics.histogram('bucketed', 'Help', [], [2, 1]))
  t.throws(() => app.metrics.counter('labelled_total', 'Help', ['a-b']))

  app.metrics.histogram('bucketed', 'Help')
  app.metrics.counter('labelled_total', 'Help')

  const families = parseExposition(await scrape(app))
  t.ok(families.has('bucketed') && families.has('labelled_total'))
})

t.test('the process tells its memory, CPU time, event loop, files and versions', async (t) => {
  const { app } = await start(t, { version: '1.2.3' })

  const text = await scrape(app)

  const positive = ['process_resident_memory_bytes', 'nodejs_heap_size_used_bytes', 'process_cpu_seconds_total']
  for (const name of positive) t.ok((seriesValue(text, name) ?? 0) > 0, name)
  const age = Date.now() / 1000 - (seriesValue(text, 'process_start_time_seconds') ?? 0)
  t.ok(age > 0 && age < 600, `started ${age} s ago`)
  for (const statistic of ['p50', 'p99', 'max']) {
    t.ok((seriesValue(text, 'nodejs_eventloop_delay_seconds', { statistic }) ?? -1) >= 0, statistic)
  }
  const busy = seriesValue(text, 'nodejs_eventloop_utilization_ratio') ?? -1
  t.ok(busy >= 0 && busy <= 1)
  t.equal(seriesValue(text, 'app_build_info', { version: '1.2.3' }), 1)
  t.equal(seriesValue(text, 'nodejs_version_info', { version: process.version }), 1)
  if (process.platform === 'linux') t.ok((seriesValue(text, 'process_open_fds') ?? 0) > 3)
})
