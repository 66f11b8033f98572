import Fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import health, { type HealthOptions } from '../../../plugins/health/index.ts'

const passes = () => Promise.resolve()
const never = () => new Promise<void>(() => {})

async function start(t: Test, options: HealthOptions = {}): Promise<{ app: FastifyInstance; lines: LogLine[] }> {
  const lines: LogLine[] = []
  const stream = { write: (line: string) => void lines.push(JSON.parse(line)) }
  const app = Fastify({ logger: { level: 'info', stream } })
  t.teardown(() => app.close())
  await app.register(health, options)
  return { app, lines }
}

interface LogLine {
  level: number
  check?: string
  err?: { message: string }
}

t.test('ready answers 200 ok with the state of each check, version and age', async (t) => {
  const { app } = await start(t, { version: '1.2.3' })
  app.health.register('database', { critical: true, check: passes })
  app.health.register('redis', { critical: false, check: passes })

  const response = await app.inject('/health/ready')

  t.equal(response.statusCode, 200)
  t.equal(response.headers['retry-after'], undefined)
  const { uptime_seconds, ...body } = response.json()
  t.same(body, { status: 'ok', checks: { database: 'ok', redis: 'ok' }, version: '1.2.3' })
  t.ok(Number.isInteger(uptime_seconds) && uptime_seconds >= 0)
})

t.test('a failing critical check means 503 unavailable with Retry-After (O01)', async (t) => {
  const { app } = await start(t)
  app.health.register('database', { critical: true, check: () => Promise.reject(new Error('refused')) })
  app.health.register('redis', { critical: false, check: passes })

  const response = await app.inject('/health/ready')

  t.equal(response.statusCode, 503)
  t.equal(response.headers['retry-after'], '1')
  t.match(response.json(), { status: 'unavailable', checks: { database: 'unavailable', redis: 'ok' } })
})

t.test('a failing check that is not critical means 200 degraded (O01)', async (t) => {
  const { app } = await start(t)
  app.health.register('database', { critical: true, check: passes })
  app.health.register('redis', { critical: false, check: () => Promise.reject(new Error('refused')) })

  const response = await app.inject('/health/ready')

  t.equal(response.statusCode, 200)
  t.match(response.json(), { status: 'degraded', checks: { database: 'ok', redis: 'unavailable' } })
})

t.test('a check that throws at once fails like any other', async (t) => {
  const { app } = await start(t)
  const check = () => {
    throw new Error('refused')
  }
  app.health.register('redis', { critical: false, check })

  t.match((await app.inject('/health/ready')).json(), { status: 'degraded' })
})

t.test('draining means 503 at once, without probing (O02)', async (t) => {
  let runs = 0
  const { app } = await start(t)
  app.health.register('database', { critical: true, check: async () => void runs++ })
  t.equal((await app.inject('/health/ready')).statusCode, 200, 'a good result is in the cache')

  app.health.drain()
  const response = await app.inject('/health/ready')

  t.equal(response.statusCode, 503)
  t.equal(response.headers['retry-after'], '1')
  t.match(response.json(), { status: 'draining', checks: {} })
  t.equal(runs, 1)
})

t.test('a server that begins to close drains by itself (O02)', async (t) => {
  const app = Fastify({ return503OnClosing: false })
  await app.register(health)
  let address = ''
  let body: unknown
  app.addHook('preClose', async () => {
    const response = await fetch(`${address}/health/ready`)
    body = await response.json()
  })
  address = await app.listen({ port: 0 })

  await app.close()

  t.match(body, { status: 'draining' })
})

t.test('checks run at the same time', async (t) => {
  const { app } = await start(t)
  const first = Promise.withResolvers<void>()
  const second = Promise.withResolvers<void>()
  const meet = (mine: PromiseWithResolvers<void>, other: PromiseWithResolvers<void>) => () => {
    mine.resolve()
    return other.promise
  }
  app.health.register('one', { critical: true, check: meet(first, second) })
  app.health.register('two', { critical: true, check: meet(second, first) })

  t.match((await app.inject('/health/ready')).json(), { status: 'ok', checks: { one: 'ok', two: 'ok' } })
})

t.test('a check that hangs is out after its deadline and delays no other', async (t) => {
  const { app, lines } = await start(t, { timeoutMs: 20 })
  app.health.register('database', { critical: true, check: passes })
  app.health.register('redis', { critical: false, check: never })

  const response = await app.inject('/health/ready')

  t.match(response.json(), { status: 'degraded', checks: { database: 'ok', redis: 'unavailable' } })
  t.match(lines.at(-1), { check: 'redis', err: { message: 'No answer within 20 ms' } })
})

t.test('probing costs at most one round of checks per interval, however many ask', async (t) => {
  let time = 0
  let runs = 0
  const { app } = await start(t, { cacheMs: 500, now: () => time })
  const gate = Promise.withResolvers<void>()
  app.health.register('database', {
    critical: true,
    check: () => {
      runs++
      return gate.promise
    }
  })

  const flood = Promise.all(Array.from({ length: 50 }, () => app.inject('/health/ready')))
  setImmediate(gate.resolve)
  for (const response of await flood) t.equal(response.statusCode, 200)
  t.equal(runs, 1, 'one round for all who ask at once')

  time = 499
  await app.inject('/health/ready')
  t.equal(runs, 1, 'its result is reused')

  time = 500
  await app.inject('/health/ready')
  t.equal(runs, 2, 'until it is too old')
})

t.test('a check that ignored its deadline is not started again on top of itself', async (t) => {
  let time = 0
  let runs = 0
  let answer = Promise.withResolvers<void>()
  const { app } = await start(t, { timeoutMs: 10, cacheMs: 1, now: () => time })
  app.health.register('database', {
    critical: true,
    check: () => {
      runs++
      return answer.promise
    }
  })
  const probe = async () => {
    time += 1
    return (await app.inject('/health/ready')).statusCode
  }

  for (let i = 0; i < 5; i++) t.equal(await probe(), 503)
  t.equal(runs, 1)

  answer.resolve()
  await new Promise(setImmediate)
  t.equal(await probe(), 200, 'it may run again once it has settled')
  t.equal(runs, 2)

  answer = Promise.withResolvers()
  t.equal(await probe(), 503)
  t.equal(await probe(), 503)
  t.equal(runs, 3)
  time += 100
  answer = Promise.withResolvers()
  answer.resolve()
  t.equal(await probe(), 200, 'a call that never settles is given up after ten deadlines')
})

t.test('causes go to the log once per change of state and never into the body', async (t) => {
  let time = 0
  let isUp = false
  const { app, lines } = await start(t, { cacheMs: 1, now: () => time })
  const secret = 'connect ECONNREFUSED postgres://app:hunter2@10.0.0.5:5432'
  const check = () => (isUp ? passes() : Promise.reject(new Error(secret)))
  app.health.register('database', { critical: true, check })
  app.health.register('redis', { critical: false, check })
  const probe = () => {
    time += 1
    return app.inject('/health/ready')
  }

  const bodies = [(await probe()).body, (await probe()).body]
  isUp = true
  bodies.push((await probe()).body, (await probe()).body)

  t.notMatch(bodies.join(), /hunter2|10\.0\.0\.5|ECONNREFUSED/)
  t.match(
    lines.map(({ level, check, err }) => [level, check, err?.message]),
    [
      [50, 'database', secret],
      [40, 'redis', secret],
      [30, 'database', undefined],
      [30, 'redis', undefined]
    ]
  )
})

t.test('a check registered after a probe is in the next answer', async (t) => {
  const { app } = await start(t)
  t.match((await app.inject('/health/ready')).json(), { status: 'ok', checks: {} })

  app.health.register('jobs', { critical: true, check: () => Promise.reject(new Error('out')) })

  t.match((await app.inject('/health/ready')).json(), { status: 'unavailable', checks: { jobs: 'unavailable' } })
})

t.test('a name that is taken or not snake_case is refused', async (t) => {
  const { app } = await start(t)
  app.health.register('database', { critical: true, check: passes })

  t.throws(() => app.health.register('database', { critical: true, check: passes }), /already registered: database/)
  for (const name of ['', 'Data', 'a-b', '__proto__', 'a b']) {
    t.throws(() => app.health.register(name, { critical: true, check: passes }), TypeError, name)
  }
})

t.test('intervals that make no sense are refused at registration', async (t) => {
  for (const options of [{ timeoutMs: 0 }, { cacheMs: 0 }, { cacheMs: Number.NaN }, { timeoutMs: Infinity }]) {
    await t.rejects(async () => Fastify().register(health, options), /must be a number above 0/)
  }
})
