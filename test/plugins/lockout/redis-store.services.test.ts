import { randomUUID } from 'node:crypto'
import t from 'tap'
import { redisStore } from '../../../plugins/lockout/index.ts'
import { createRedis, guard } from '../../../plugins/redis/index.ts'
import { redisUrl } from '../../support/mode.ts'
import { startHost } from './host.ts'
import { delay, lock, newAttempt, storeSuite, windowMs } from './store-suite.ts'

const prefix = `test:${randomUUID()}:`

/** A client of its own, as another process has one. */
async function connect() {
  const client = createRedis({ url: redisUrl, prefix, commandTimeoutMs: 5000 })
  const redisGuard = guard(client, { deadlineMs: 5000 })
  t.teardown(() => {
    redisGuard.stop()
    client.disconnect()
  })
  if (redisGuard.state === 'open') await new Promise((resolve) => redisGuard.once('close', resolve))
  return { client, store: redisStore(redisGuard) }
}

const [here, there] = [await connect(), await connect()]
const key = Buffer.alloc(32, 1)

storeSuite(t, here.store)

t.test('of 100 attempts over two processes at once as many are entered as the rule allows', async (t) => {
  for (let round = 0; round < 5; round++) {
    const waits = await Promise.all(
      Array.from({ length: 100 }, (_, index) =>
        (index % 2 ? here : there).store.enter(`race ${round}`, newAttempt(), lock)
      )
    )
    t.equal(waits.filter((wait) => wait === 0).length, lock.limit)
  }
})

t.test('failures in two processes lock in both, also across SCRIPT FLUSH', async (t) => {
  await here.store.fail('shared', newAttempt(), lock)
  await there.store.fail('shared', newAttempt(), lock)
  await here.client.script('FLUSH')
  t.equal(await here.store.fail('shared', newAttempt(), lock), true)
  for (const { store } of [here, there]) t.ok((await store.enter('shared', newAttempt(), lock)) > windowMs - 10_000)
})

t.test(
  'an attempt is taken back before the next one is entered, without being waited for and after SCRIPT FLUSH',
  async (t) => {
    for (let count = 1; count < lock.limit; count++) await here.store.fail('unwaited', newAttempt(), lock)
    await here.client.script('FLUSH')
    const proven = newAttempt()
    t.equal(await here.store.enter('unwaited', proven, lock), 0)
    const noted = here.store.takeBack('unwaited', proven, lock, true)
    t.equal(await here.store.enter('unwaited', newAttempt(), lock), 0)
    await noted
  }
)

t.test('every ledger expires, and one without entries is gone', async (t) => {
  const attempt = newAttempt()
  const ttl = () => here.client.pttl('lockout:short')
  await here.store.enter('short', attempt, lock)
  t.ok((await ttl()) > windowMs - 10_000 && (await ttl()) <= windowMs)
  await here.store.fail('short', attempt, delay)
  t.ok((await ttl()) > windowMs - 10_000 && (await ttl()) <= windowMs)
  await here.store.takeBack('short', attempt, lock, true)
  t.equal(await here.client.exists('lockout:short'), 0)
})

t.test('a failure counts for a window, and a lock ends with it', async (t) => {
  const short = { ...lock, windowMs: 100 }
  for (let count = 0; count < short.limit; count++) await here.store.fail('ends', newAttempt(), short)
  const deadline = Date.now() + 10_000
  let wait = await here.store.enter('ends', newAttempt(), short)
  t.ok(wait > 0)
  while (wait > 0 && Date.now() < deadline) wait = await here.store.enter('ends', newAttempt(), short)
  t.equal(wait, 0)
})

for (const [title, aheadMs, isLocked] of [
  ['back by less than a window', windowMs / 2, true],
  ['back by a day', 86_400_000, false],
  ['ahead by a day', -86_400_000, false]
] as const) {
  t.test(`a clock of Redis that was set ${title} locks nobody out for longer than a window`, async (t) => {
    const at = Date.now() + aheadMs
    await here.client.set('lockout:jump', JSON.stringify(Array(3).fill({ by: 'ada', at })), 'PX', 60_000)
    const wait = await here.store.enter('jump', newAttempt(), lock)
    t.equal(wait > 0, isLocked)
    t.ok(wait <= windowMs, `${wait} ms`)
  })
}

t.test('a lock survives a restart and holds in every process; Redis learns no account names', async (t) => {
  const options = { store: here.store, key }
  const before = await startHost(t, options)
  t.same(await before.statuses(5, { account: 'my-password' }), [401, 401, 401, 401, 401])
  await before.app.close()

  for (const { store } of [here, there]) {
    const after = await startHost(t, { store, key })
    t.same(await after.statuses(1, { secret: 'right' }), [429])
  }
  const names = await here.client.keys(`${prefix}lockout:*`)
  const texts = await Promise.all(names.map((name) => here.client.get(name.slice(prefix.length))))
  t.ok(names.includes(`${prefix}lockout:client:192.0.2.1`))
  t.notMatch([...names, ...texts].join(), /my-password/)
})
