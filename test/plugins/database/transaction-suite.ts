import { AsyncResource } from 'node:async_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { CompiledQuery, sql } from 'kysely'
import type { Test } from 'tap'
import type { OpenDatabase } from '../../../plugins/database/index.ts'
import { notesOf } from './notes.ts'

/** What a transaction promises on both databases. Needs a `transactionTimeoutMs` of 300. */
export function transactionSuite(t: Test, database: OpenDatabase): void {
  const withNotes = notesOf(database)

  t.test('what a transaction did is there once it resolves', async (t) => {
    const { ids, add } = await withNotes(t)
    const result = await database.transaction(async (trx) => {
      await add(trx, 1)
      await add(trx, 2)
      return 'done'
    })
    t.equal(result, 'done')
    t.same(await ids(), [1, 2])
  })

  t.test('a failure half-way leaves nothing', async (t) => {
    const { ids, add } = await withNotes(t)
    const work = database.transaction(async (trx) => {
      await add(trx, 1)
      throw new Error('half-way')
    })
    await t.rejects(work, { message: 'half-way' })
    t.same(await ids(), [])
  })

  t.test('a statement that waits behind a failed one is not committed on its own', async (t) => {
    const { ids, add } = await withNotes(t)
    await add(database.db, 1)
    let settled: Promise<unknown> = Promise.resolve()
    const work = database.transaction((trx) => {
      const statements = [1, 2, 3, 4, 5].map((id) => add(trx, id))
      settled = Promise.allSettled(statements)
      return Promise.all(statements)
    })
    await t.rejects(work, { code: '23505' })
    await settled
    t.same(await ids(), [1])
  })

  t.test('a statement that nobody awaited fails instead of escaping the transaction', async (t) => {
    const { ids, add } = await withNotes(t)
    let late: Promise<Array<PromiseSettledResult<unknown>>> = Promise.resolve([])
    await database.transaction(async (trx) => {
      late = Promise.allSettled([1, 2, 3].map((id) => add(trx, id)))
    })
    const outcomes = await late
    const inserted = outcomes.filter(({ status }) => status === 'fulfilled').length
    t.equal(outcomes.at(-1)?.status, 'rejected')
    t.equal((await ids()).length, inserted)
  })

  t.test('inside a transaction the outer db rejects at once, whatever is asked of it', async (t) => {
    const { db, ids, add } = await withNotes(t)
    await database.transaction(async (trx) => {
      const refusal = { code: 'INSIDE_TRANSACTION', message: 'Inside a transaction: pass trx' }
      await t.rejects(add(db, 1), refusal, 'a statement')
      await t.rejects(sql`select 1`.execute(db.withSchema('public')), refusal, 'through withSchema')
      await t.rejects(
        db.transaction().execute(async () => {}),
        refusal,
        'a transaction of Kysely'
      )
      await t.rejects(
        db.connection().execute(async () => {}),
        refusal,
        'a connection'
      )
      await t.rejects(
        database.transaction(async () => {}),
        refusal,
        'a nested transaction'
      )
      await add(trx, 2)
    })
    t.same(await ids(), [2])
  })

  t.test("the guard holds in Kysely's own transactions too", async (t) => {
    const { db, ids, add } = await withNotes(t)
    await db.transaction().execute(async (trx) => {
      await t.rejects(add(db, 1), { code: 'INSIDE_TRANSACTION' })
      await add(trx, 2)
    })
    t.same(await ids(), [2])
  })

  t.test('code that outlives a transaction may use db again', async (t) => {
    const { ids, add } = await withNotes(t)
    let later: AsyncResource | undefined
    await database.transaction(async (trx) => {
      await add(trx, 1)
      later = new AsyncResource('later')
    })
    await later?.runInAsyncScope(() => add(database.db, 2))
    t.same(await ids(), [1, 2])
  })

  t.test('two transactions at once do not see each other as their own', async (t) => {
    const { ids, add } = await withNotes(t)
    const both = [1, 2].map((id) =>
      database.transaction(async (trx) => {
        t.equal(database.current(), trx)
        await add(trx, id)
        t.equal(database.current(), trx)
      })
    )
    await Promise.all(both)
    t.equal(database.current(), undefined)
    t.same(await ids(), [1, 2])
  })

  for (const sqlstate of ['40001', '40P01']) {
    t.test(`a transaction that fails with ${sqlstate} runs again, twice at most`, async (t) => {
      const { ids, add } = await withNotes(t)
      let attempts = 0
      let callbacks = 0
      const attempt = (failures: number, firstId: number) => {
        attempts = 0
        return database.transaction(async (trx) => {
          database.beforeCommit(trx, CompiledQuery.raw('insert into notes values ($1)', [100 + firstId + attempts]))
          database.afterCommit(trx, () => void callbacks++)
          await add(trx, firstId + attempts++)
          if (attempts <= failures)
            await sql.raw(`do $$ begin raise exception using errcode = '${sqlstate}'; end $$`).execute(trx)
        })
      }
      await attempt(2, 1)
      t.equal(attempts, 3)
      t.same(await ids(), [3, 103], 'only the last attempt left something')
      t.equal(callbacks, 1, 'callbacks of failed attempts are dropped')

      await t.rejects(attempt(3, 10), { code: sqlstate })
      t.equal(attempts, 3)
      t.same(await ids(), [3, 103])
    })
  }

  t.test('a transaction that takes too long is rolled back and rejected', async (t) => {
    const { ids, add } = await withNotes(t)
    const late = Promise.withResolvers<void>()
    let afterwards: Promise<unknown> | undefined
    const work = database.transaction(async (trx) => {
      await add(trx, 1)
      await late.promise
      afterwards = add(trx, 2)
      await afterwards
    })
    await t.rejects(work, { code: 'TRANSACTION_TIMEOUT', statusCode: 503, headers: { 'Retry-After': '1' } })
    t.same(await ids(), [])
    late.resolve()
    await late.promise
    await t.rejects(Promise.resolve(afterwards), 'its trx is of no more use')
    t.same(await ids(), [])
  })

  t.test('work that has waited for a connection beyond the deadline is not begun', async (t) => {
    const holders = [1, 2].map(() => database.db.connection().execute(() => sleep(400)))
    let isBegun = false
    const work = database.transaction(async () => {
      isBegun = true
    })
    await t.rejects(work, { code: 'TRANSACTION_TIMEOUT' })
    t.notOk(isBegun)
    await Promise.all(holders)
  })

  t.test('a swallowed database error makes the commit fail, not succeed with nothing', async (t) => {
    const { ids, add } = await withNotes(t)
    const work = database.transaction(async (trx) => {
      await add(trx, 1)
      await add(trx, 1).catch(() => {})
    })
    await t.rejects(work)
    t.same(await ids(), [])
  })
}
