import t from 'tap'
import { type Backlog, guard } from '../../../plugins/redis/index.ts'
import { answer, Client, guardedClient, never } from './guarded-client.ts'

const lose = async () => Promise.reject(new Error('Connection is closed.'))

t.test('five failures in a row open the breaker; then nothing is run any more', async (t) => {
  const { redisGuard } = guardedClient()
  const reasons: string[] = []
  redisGuard.on('open', (reason) => reasons.push(reason.message))
  for (let call = 0; call < 4; call++) await t.rejects(redisGuard.call(lose))
  t.equal(redisGuard.state, 'closed')
  await t.rejects(redisGuard.call(lose))
  t.equal(redisGuard.state, 'open')
  t.same(reasons, ['Connection is closed.'])

  let runs = 0
  const count = async () => runs++
  await t.rejects(redisGuard.call(count), { code: 'REDIS_UNAVAILABLE', cause: { message: 'Connection is closed.' } })
  t.equal(runs, 0)
  t.same(redisGuard.stats(), { calls: 5, failures: 5, timeouts: 0, opened: 1 })
})

t.test('a third of all calls failing opens the breaker as well, one in twenty does not', async (t) => {
  const { redisGuard } = guardedClient()
  for (let call = 0; call < 400; call++) await redisGuard.call(call % 20 === 0 ? lose : answer).catch(() => undefined)
  t.equal(redisGuard.state, 'closed')
  for (let call = 0; call < 30; call++) await redisGuard.call(call % 3 === 0 ? lose : answer).catch(() => undefined)
  t.equal(redisGuard.state, 'open')
})

t.test('a lost connection opens the breaker at once; its return, proven by a probe, closes it', async (t) => {
  const { client, redisGuard } = guardedClient()
  const outages: number[] = []
  redisGuard.on('close', (outageMs) => outages.push(outageMs))
  client.status = 'close'
  client.emit('error', new Error('connect ECONNREFUSED'))
  client.emit('close')
  t.equal(redisGuard.state, 'open')
  t.equal(redisGuard.reason?.message, 'connect ECONNREFUSED')

  client.status = 'ready'
  client.emit('ready')
  t.equal(redisGuard.state, 'open', 'not before the probe is through')
  await new Promise(setImmediate)
  t.equal(redisGuard.state, 'closed')
  t.equal(redisGuard.reason, undefined)
  t.equal(outages.length, 1)
  t.equal(await redisGuard.call(answer), 'answer')
})

t.test('no caller is ever the probe: it runs in the background, and again after it failed', async (t) => {
  let probes = 0
  const { redisGuard } = guardedClient({
    maxFailures: 1,
    probeMs: 5,
    probe: async () => {
      if (++probes < 3) throw new Error('not yet')
    }
  })
  const closed = new Promise((resolve) => redisGuard.once('close', resolve))
  await t.rejects(redisGuard.call(lose))
  await t.rejects(redisGuard.call(answer), { code: 'REDIS_UNAVAILABLE' })
  // The probe's timer does not keep the process alive; this one does.
  const keepAlive = setInterval(() => undefined, 1000)
  await closed
  clearInterval(keepAlive)
  t.equal(probes, 3)
  t.equal(redisGuard.stats().calls, 1)
})

t.test('a probe without an answer ends at the deadline, too', async (t) => {
  const { client, redisGuard } = guardedClient({ deadlineMs: 5, probe: never })
  client.emit('close')
  client.emit('ready')
  while (redisGuard.reason?.message === 'The connection to Redis was lost')
    await new Promise((resolve) => setTimeout(resolve, 5))
  t.equal(redisGuard.reason?.message, 'No answer within 5 ms')
})

t.test('a client that is not connected yet has an open breaker', async (t) => {
  const client = new Client()
  client.status = 'connecting'
  const redisGuard = guard(client)
  t.equal(redisGuard.state, 'open')
  await t.rejects(redisGuard.call(answer), { cause: { message: 'Redis is not connected yet' } })
})

t.test('a lazy client is told to connect by the first call, which does not wait for it', async (t) => {
  const client = new Client()
  client.status = 'wait'
  let connects = 0
  client.connect = async () => {
    connects++
    client.status = 'ready'
    client.emit('ready')
    return undefined
  }
  const redisGuard = guard(client)
  await t.rejects(redisGuard.call(answer), { code: 'REDIS_UNAVAILABLE' })
  await new Promise(setImmediate)
  t.equal(await redisGuard.call(answer), 'answer')
  t.equal(connects, 1)
})

t.test('what an outage held up is written before the breaker closes, also what came in meanwhile', async (t) => {
  const { client, redisGuard } = guardedClient()
  const pending = ['a']
  const written: string[] = []
  const backlog: Backlog<Client> = {
    isPending: () => pending.length > 0,
    flush: async () => {
      const batch = pending.splice(0)
      await new Promise(setImmediate)
      t.equal(redisGuard.state, 'open')
      if (written.length === 0) pending.push('b')
      written.push(...batch)
    }
  }
  redisGuard.beforeClose(backlog)
  const closed = new Promise((resolve) => redisGuard.once('close', resolve))
  client.emit('close')
  client.emit('ready')
  await closed
  t.same(written, ['a', 'b'])
  t.same(pending, [])
})

t.test('the breaker stays open while what is held up cannot be written', async (t) => {
  const { client, redisGuard } = guardedClient()
  let attempts = 0
  redisGuard.beforeClose({ isPending: () => true, flush: () => (attempts++ === 0 ? lose() : answer()) })
  client.emit('close')
  client.emit('ready')
  await new Promise(setImmediate)
  t.equal(redisGuard.state, 'open')
  t.equal(redisGuard.reason?.message, 'Connection is closed.')

  client.emit('ready')
  await new Promise(setImmediate)
  t.equal(redisGuard.state, 'open')
  t.equal(redisGuard.reason?.message, 'The backlog grows faster than it is written')
})
