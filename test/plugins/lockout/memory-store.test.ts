import t from 'tap'
import { memoryStore } from '../../../plugins/lockout/index.ts'
import { delay, lock, newAttempt, storeSuite, windowMs } from './store-suite.ts'

storeSuite(t, memoryStore())

const HOUR_MS = 3_600_000
const clock = { ms: 1_800_000_000_000 }
const store = memoryStore({ now: () => clock.ms })

t.test('a failure counts for a window, one by one', async (t) => {
  await store.fail('sliding', newAttempt(), lock)
  clock.ms += windowMs - 1000
  await store.fail('sliding', newAttempt(), lock)
  clock.ms += 999
  t.equal(await store.enter('sliding', newAttempt(), lock), 0, 'the third')
  t.equal(await store.enter('sliding', newAttempt(), lock), 1000)
  clock.ms += 1
  t.equal(await store.enter('sliding', newAttempt(), lock), 0, 'the first one is a window old')
})

t.test('a lock lasts a window from the failure that caused it, and then all is forgotten', async (t) => {
  for (let count = 0; count < 3; count++) {
    await store.fail('lock', newAttempt(), lock)
    clock.ms += 100_000
  }
  t.equal(await store.enter('lock', newAttempt(), lock), windowMs - 100_000)
  clock.ms += windowMs - 100_001
  t.equal(await store.enter('lock', newAttempt(), lock), 1)
  clock.ms += 1
  for (let count = 0; count < 3; count++) t.equal(await store.enter('lock', newAttempt(), lock), 0)
})

t.test('attempts that keep the distance go on, one at a time', async (t) => {
  for (let count = 0; count < 3; count++) await store.fail('delay', newAttempt(), delay)
  for (const seconds of [1, 2, 4]) {
    clock.ms += seconds * 1000 - 1
    t.equal(await store.enter('delay', newAttempt(), delay), 1)
    clock.ms += 1
    const attempt = newAttempt()
    const waits = [await store.enter('delay', attempt, delay), await store.enter('delay', newAttempt(), delay)]
    t.same(waits, [0, 2000 * seconds])
    await store.fail('delay', attempt, delay)
  }
})

t.test('an attempt whose process died stops counting after a minute', async (t) => {
  for (let count = 0; count < 3; count++) await store.enter('dead', newAttempt(), lock)
  clock.ms += 59_999
  t.equal(await store.enter('dead', newAttempt(), lock), 1000)
  clock.ms += 1
  t.equal(await store.enter('dead', newAttempt(), lock), 0)
})

for (const jumpMs of [-1000, -windowMs / 2, -windowMs - 1, -24 * HOUR_MS, 24 * HOUR_MS]) {
  t.test(`a clock that jumps by ${jumpMs / 1000} s locks nobody out for longer than two windows`, async (t) => {
    const ledger = `jump ${jumpMs}`
    for (let count = 0; count < 3; count++) await store.fail(ledger, newAttempt(), lock)
    clock.ms += jumpMs
    const wait = await store.enter(ledger, newAttempt(), lock)
    t.ok(wait >= 0 && wait <= windowMs, `${wait} ms`)
    clock.ms += 2 * windowMs
    t.equal(await store.enter(ledger, newAttempt(), lock), 0)
  })
}

t.test('the number of ledgers is bounded: those in use stay', async (t) => {
  const small = memoryStore({ maxLedgers: 100 })
  for (let count = 0; count < 3; count++) await small.fail('locked', newAttempt(), lock)
  for (let index = 0; index < 1000; index++) {
    await small.fail(`${index}`, newAttempt(), lock)
    if (index % 50 === 0) t.ok((await small.enter('locked', newAttempt(), lock)) > 0, 'who goes on trying stays locked')
  }
  for (let index = 0; index < 100; index++) await small.fail(`more ${index}`, newAttempt(), lock)
  t.equal(await small.enter('locked', newAttempt(), lock), 0)
})
