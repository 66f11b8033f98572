import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { metricsPlugin } from '../../../plugins/metrics/index.ts'
import { memoryStore } from '../../../plugins/rate-limit/memory-store.ts'
import { redisStore } from '../../../plugins/rate-limit/redis-store.ts'
import { SCRIPT } from '../../../plugins/rate-limit/script.ts'
import { redisPlugin } from '../../../plugins/redis/index.ts'
import { redisUrl } from '../../support/mode.ts'
import { runReadmeProgram } from '../../support/readme-program.ts'
import { call, items, startHost } from './host.ts'
import { testTwoProcesses } from './processes.ts'
import { checkOf, randomWalk } from './walk.ts'

const prefix = `test:${randomUUID()}:`
const { app } = await startHost(t, {}, (app) =>
  app.register(redisPlugin, { url: redisUrl, prefix, commandTimeoutMs: 5000 })
)
const { redis, redisGuard } = app
await app.ready()
const keys = async (pattern: string) => (await redis.keys(`${prefix}${pattern}`)).map((key) => key.slice(prefix.length))
t.teardown(async () => void (await redis.del(await keys('*'))))

const timed = SCRIPT.replace("redis.call('TIME')", '{ table.remove(ARGV, 1), table.remove(ARGV, 1) }')
/** The script by a clock that `args` begin with: seconds and microseconds. */
async function runTimed(keys: string[], args: Array<string | number>): Promise<number[]> {
  const reply = (await redis.callBuffer('eval', timed, keys.length, ...keys, ...args)) as Buffer
  return Array.from({ length: reply.length / 8 }, (_, index) => reply.readDoubleLE(8 * index))
}

t.test('L07: the script decides exactly as the memory store does, at every moment', async (t) => {
  for (const [seed, max] of [
    [7, 12],
    [8, 60],
    [9, 600]
  ] as const) {
    const quotas = { wide: { max, seconds: 4 }, narrow: { max: max / 4, seconds: 1 } }
    const clock = { at: 0 }
    const memory = memoryStore({ maxKeys: 1000, now: () => clock.at })
    let refused = 0
    for (const { at, cost } of randomWalk(seed, 400, 2000)) {
      clock.at = at
      const check = checkOf('walk', quotas, cost)
      const names = check.set.policies.map(({ key }) => `rl:{walk${seed}}:${key}`)
      const seconds = Math.floor(at / 1000)
      const micros = Math.round((at - seconds * 1000) * 1000)
      const args = [seconds, micros, names.length, names.length, cost, 1, ...check.set.args]
      const reply = await runTimed(names, args)
      const { isAllowed, states } = await memory.take(check)
      const flat = states.flatMap(({ isExceeded, remaining, resetMs }) => [
        remaining,
        Math.ceil(resetMs) * (isExceeded ? -1 : 1)
      ])
      if (JSON.stringify(reply) !== JSON.stringify(flat)) t.same(reply, flat, `at ${at}`)
      if (!isAllowed) refused++
    }
    t.ok(max === 600 ? refused === 0 : refused > 50, `agreed on ${refused} refusals of 400 calls`)
  }
})

const store = redisStore(
  redisGuard,
  () => performance.now(),
  (_, error) => Promise.reject(error)
)

t.test('L07: when a period changes, calls count as of the last of them, and no later', async (t) => {
  const { take } = store
  const long = { quota: { max: 2, seconds: 1800 } }
  for (const [client, next] of [
    ['shortened', { max: 2, seconds: 2 }],
    ['lengthened', { max: 2, seconds: 3600 }]
  ] as const) {
    for (let n = 0; n < 2; n++) t.match(await take(checkOf(client, long)), { isAllowed: true })
    t.match(await take(checkOf(client, long)), { isAllowed: false })
    t.match(await take(checkOf(client, { quota: next })), { isAllowed: false })
    t.ok((await redis.pttl(`rl:{${client}}:quota`)) <= next.seconds * 1000 * 1.1)
  }
  t.ok((await redis.pttl('rl:{lengthened}:quota')) > 3_600_000, 'and they are not forgotten early')
  for (let n = 0; n < 4; n++) {
    await sleep(400)
    t.match(await take(checkOf('shortened', { quota: { max: 2, seconds: 2 } })), { isAllowed: false })
  }
  await sleep(400)
  t.match(await take(checkOf('shortened', { quota: { max: 2, seconds: 2 } })), { isAllowed: true })
})

t.test('L07: two periods in turn, as while a release is rolled out, keep nobody out', async (t) => {
  const { take } = store
  const passedAt: number[] = []
  const startedAt = performance.now()
  for (let n = 0; performance.now() - startedAt < 5000; n++) {
    if ((await take(checkOf('rolling', { quota: { max: 2, seconds: 1 + (n % 2) } }))).isAllowed) {
      passedAt.push(performance.now() - startedAt)
    }
    await sleep(110)
  }
  t.ok(passedAt.length >= 4 && (passedAt.at(-1) ?? 0) > 2000, passedAt.join(' '))
})

t.test('what is no window begins anew, and the checks beside it count', async (t) => {
  const quota = { quota: { max: 5, seconds: 60 } }
  await redis.set('rl:{short}:quota', 'from another release')
  await redis.hset('rl:{hash}:quota', 'a', 'b')
  const clients = ['short', 'beside', 'hash']
  const verdicts = await Promise.all(clients.map((client) => store.take(checkOf(client, quota))))
  t.ok(verdicts.every(({ isAllowed, states }) => isAllowed && states[0]?.remaining === 4))
  for (const client of clients) t.ok((await redis.pttl(`rl:{${client}}:quota`)) > 0, client)
})

t.test('when the clock of the server goes back, waiting as long as told is enough', async (t) => {
  const look = (second: number) => runTimed(['rl:{back}:quota'], [second, 0, 1, 1, 1, 1, 1, 3_600_000])
  const noon = 1_800_000_000
  t.same(await look(noon), [0, 3_600_000])
  t.same(await look(noon - 100), [0, -3_600_000])
  t.same(await look(noon - 100 + 3600), [0, 3_600_000], 'it passes')
})

t.test('L01: checks of one moment are told apart, each charged all or none', async (t) => {
  const { take } = redisStore(
    redisGuard,
    () => performance.now(),
    (_, error) => Promise.reject(error)
  )
  const quotas = { wide: { max: 100, seconds: 60 }, narrow: { max: 5, seconds: 60 } }
  const verdicts = await Promise.all(Array.from({ length: 200 }, (_, n) => take(checkOf(`user:${n % 4}`, quotas))))
  for (const user of [0, 1, 2, 3]) {
    const own = verdicts.filter((_, n) => n % 4 === user)
    t.equal(own.filter(({ isAllowed }) => isAllowed).length, 5)
    t.match(await take(checkOf(`user:${user}`, quotas, 0)), { states: [{ remaining: 95 }, { remaining: 0 }] })
  }
})

t.test('L02: processes count together', (t) => testTwoProcesses(t, redisUrl, `${prefix}two:`, 3))

t.test('L09: every key has a time to live, is named as documented and small', async (t) => {
  const { app: limited } = await startHost(t, { guard: redisGuard, perUser: { max: 9, seconds: 3600 } })
  limited.get('/notes', { config: { limit: { service: 'note_read', max: 3, seconds: 60 } } }, async () => 'ok')
  t.same(await call(limited, { url: '/notes', headers: { 'x-user': '42' } }, 4), [200, 200, 200, 429])
  t.same((await keys('rl:{user:42}:*')).sort(), ['rl:{user:42}:note_read', 'rl:{user:42}:per-user'])
  for (const key of await keys('rl:*')) {
    const ttl = await redis.pttl(key)
    // -1: for ever; -2: it has just gone.
    t.ok(ttl !== -1 && ttl <= 3_825_000, `${key} lives for ${ttl} ms`)
    t.ok(Number(await redis.memory('USAGE', `${prefix}${key}`)) <= 1024, 'in at most 1 KB')
  }
})

t.test('L03: what is counted in Redis is told like what is counted in memory', async (t) => {
  const { app: limited } = await startHost(t, { guard: redisGuard, perAddress: { max: 1000, seconds: 3600 } })
  limited.get('/tasks', { config: { limit: { service: 'task_read', max: 2, seconds: 60 } } }, async () => 'ok')
  const request = { url: '/tasks', headers: { 'x-user': 'l03' } }
  const first = await limited.inject(request)
  t.match(items(first.headers.ratelimit), { 'per-address': { t: 3600 }, task_read: { r: 1, t: 60 } })
  await limited.inject(request)
  const refused = await limited.inject(request)
  const wait = Number(refused.headers['retry-after'])
  t.equal(refused.statusCode, 429)
  t.equal(items(refused.headers.ratelimit).task_read?.t, wait)
  t.ok(wait >= 59 && wait <= 60)
})

t.test('a client that goes on after a refusal costs Redis a call a second, and passes when it may', async (t) => {
  const { app: limited } = await startHost(t, { guard: redisGuard, fallback: { max: 2, seconds: 3 } })
  limited.get('/flood', { config: { limit: true } }, async () => 'ok')
  limited.get('/other', { config: { limit: { service: 'other', max: 9, seconds: 60 } } }, async () => 'ok')
  const request = { url: '/flood', headers: { 'x-user': 'flood' } }
  t.same(await call(limited, request, 3), [200, 200, 429])
  const before = redisGuard.stats().calls
  const refusedAt = performance.now()
  const answers = await Promise.all(Array.from({ length: 500 }, () => limited.inject(request)))
  const waits = answers.map(({ headers }) => Number(headers['retry-after']))
  t.ok(answers.every(({ statusCode }) => statusCode === 429))
  t.ok(waits.every((wait) => wait >= 1 && wait <= 3))
  const seconds = (performance.now() - refusedAt) / 1000
  t.ok(redisGuard.stats().calls - before <= 2 + seconds, `${redisGuard.stats().calls - before} calls in ${seconds} s`)
  t.same(await call(limited, { ...request, url: '/other' }, 1), [200], 'what it may do otherwise, it may')
  const last = await limited.inject(request)
  await sleep(Number(last.headers['retry-after']) * 1000)
  t.same(await call(limited, request, 1), [200], 'Retry-After is enough')
})

t.test('a refusal is remembered no longer than what it rests on', async (t) => {
  const { app: limited } = await startHost(t, { guard: redisGuard, perUser: { max: 5, seconds: 60 } })
  limited.get('/n', { config: { limit: { service: 'n', max: 1, seconds: 2 } } }, async () => 'ok')
  limited.get('/o', async () => 'ok')
  const get = (url: string) => limited.inject({ url, headers: { 'x-user': 'rests' } })
  await get('/n')
  t.equal((await get('/n')).headers['retry-after'], '2')
  for (let n = 0; n < 4; n++) await get('/o')
  t.ok(Number((await get('/n')).headers['retry-after']) >= 59, 'the total is used up as well by now')
})

t.test('a Redis that refuses the script is told once, and memory counts', async (t) => {
  const user = `no-scripts-${randomUUID()}`
  await redis.acl('SETUSER', user, 'on', '>secret', '~*', '&*', '+@all', '-@scripting')
  t.teardown(() => redis.acl('DELUSER', user))
  const url = new URL(redisUrl)
  Object.assign(url, { username: user, password: 'secret' })
  const host = await startHost(t, {}, (app) => app.register(redisPlugin, { url: url.href, prefix }))
  const perAddress = { max: 30, seconds: 60 }
  const { app: limited, lines } = await startHost(t, { guard: host.app.redisGuard, perAddress }, (app) =>
    app.register(metricsPlugin)
  )
  limited.get('/notes', async () => 'ok')
  t.same(await call(limited, '/notes', 31), [...new Array(30).fill(200), 429])
  t.equal(host.app.redisGuard.state, 'closed')
  t.match(
    lines.filter(({ level }) => level === 50),
    [{ msg: 'Rate limits cannot be counted in Redis, and are in memory', err: { message: /NOPERM/ } }]
  )
  t.match((await limited.inject('/metrics')).body, /^rate_limit_in_memory 1$/m)
})

t.test('the program in the README counts in Redis just so', async (t) => {
  const own = `{ url: '${redisUrl}', prefix: '${prefix}readme:', commandTimeoutMs: 5000 }`
  await runReadmeProgram(t, 'rate-limit', (code) =>
    code
      .replace(/^(import rateLimit .*)$/m, "$1\nimport redis from 'plinth/plugins/redis'")
      .replace(/^(await app\.register\(rateLimit, \{)/m, `await app.register(redis, ${own})\n$1 guard: app.redisGuard,`)
  )
})
