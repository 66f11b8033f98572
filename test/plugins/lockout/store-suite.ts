import { randomUUID } from 'node:crypto'
import type { Test } from 'tap'
import type { LockoutStore, Rule } from '../../../plugins/lockout/index.ts'

export const windowMs = 600_000
export const lock: Rule = { limit: 3, windowMs, maxDelayMs: 0 }
export const delay: Rule = { limit: 3, windowMs, maxDelayMs: 60_000 }

export const newAttempt = (by = 'ada') => ({ id: randomUUID(), by })

/** What every store has to do, whatever its clock. */
export function storeSuite(t: Test, store: LockoutStore): void {
  /** Enters and fails so many attempts. */
  async function failures(ledger: string, count: number, rule: Rule, by?: string): Promise<boolean[]> {
    const outcomes: boolean[] = []
    for (let index = 0; index < count; index++) outcomes.push(await store.fail(ledger, newAttempt(by), rule))
    return outcomes
  }

  t.test('of 100 attempts at once as many are entered as the rule allows', async (t) => {
    for (const rule of [lock, delay]) {
      const ledger = randomUUID()
      const waits = await Promise.all(Array.from({ length: 100 }, () => store.enter(ledger, newAttempt(), rule)))
      t.equal(waits.filter((wait) => wait === 0).length, 3)
      t.ok(
        waits.every((wait) => wait <= 1000),
        'the others may come back as soon as those are through'
      )
    }
  })

  t.test('the last failure that the rule allows locks for a whole window, and is told once', async (t) => {
    const ledger = randomUUID()
    t.same(await failures(ledger, 3, lock), [false, false, true])
    const wait = await store.enter(ledger, newAttempt(), lock)
    t.ok(wait > windowMs - 10_000 && wait <= windowMs, `${wait} ms`)
  })

  t.test(
    'attempts beyond the rule wait for a second, and twice as long after each failure, up to a minute',
    async (t) => {
      const ledger = randomUUID()
      t.same(await failures(ledger, 3, delay), [false, false, true])
      for (const seconds of [1, 2, 4, 8, 16, 32, 60, 60, 60, 60, 60, 60]) {
        const wait = await store.enter(ledger, newAttempt(), delay)
        t.ok(wait > seconds * 1000 - 900 && wait <= seconds * 1000, `${wait} ms of ${seconds} s`)
        t.same(await failures(ledger, 1, delay), [false])
      }
    }
  )

  t.test('an attempt that is taken back leaves nothing', async (t) => {
    const ledger = randomUUID()
    await failures(ledger, 2, lock)
    for (let round = 0; round < 5; round++) {
      const attempt = newAttempt()
      t.equal(await store.enter(ledger, attempt, lock), 0)
      await store.takeBack(ledger, attempt, lock, false)
    }
    t.same(await failures(ledger, 1, lock), [true])
  })

  t.test('a proven one takes back the failures of the same party, and no other', async (t) => {
    const ledger = randomUUID()
    await failures(ledger, 1, lock, 'ada')
    await failures(ledger, 1, lock, 'bob')
    const [proven, other] = [newAttempt('ada'), newAttempt('ada')]
    t.equal(await store.enter(ledger, proven, lock), 0)
    await store.takeBack(ledger, proven, lock, true)
    t.equal(await store.enter(ledger, other, lock), 0)
    t.equal(await store.enter(ledger, newAttempt('ada'), lock), 0, 'one failure of bob and two under way')
    t.equal(await store.enter(ledger, newAttempt('ada'), lock), 1000)
    t.equal(await store.fail(ledger, other, lock), false)
  })

  t.test('a failure counts though its entry is gone', async (t) => {
    const ledger = randomUUID()
    const attempt = newAttempt()
    await store.enter(ledger, attempt, lock)
    await store.takeBack(ledger, attempt, lock, false)
    await store.fail(ledger, attempt, lock)
    t.same(await failures(ledger, 2, lock), [false, true])
  })

  t.test('ledgers know nothing of each other', async (t) => {
    await failures('one', 3, lock)
    t.equal(await store.enter('other', newAttempt(), lock), 0)
  })
}
