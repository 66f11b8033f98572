import { CompiledQuery, sql } from 'kysely'
import type { Test } from 'tap'
import type { OpenDatabase } from '../../../plugins/database/index.ts'
import { type Notes, notesOf } from './notes.ts'

/** What waits for the end of a transaction, on both databases. */
export function transactionEndSuite(t: Test, database: OpenDatabase): void {
  const withNotes = notesOf(database)
  const adding = (id: number) => CompiledQuery.raw('insert into notes values ($1)', [id])

  t.test('statements that wait for the end run in order, before the commit', async (t) => {
    const { ids, add } = await withNotes(t)
    await database.transaction(async (trx) => {
      for (const id of [2, 3]) database.beforeCommit(trx, adding(id))
      await add(trx, 1)
      const { rows } = await sql`select id from notes`.execute(trx)
      t.same(rows, [{ id: 1 }])
    })
    t.same(await ids(), [1, 2, 3])
    await database.transaction(async (trx) => database.beforeCommit(trx, adding(4)))
    t.same(await ids(), [1, 2, 3, 4], 'also alone')
  })

  t.test('one that fails takes everything with it, and the next transaction works', async (t) => {
    const { ids, add } = await withNotes(t)
    let callbacks = 0
    for (const failing of [[1], [2, 1], [1, 2]]) {
      const work = database.transaction(async (trx) => {
        database.afterCommit(trx, () => void callbacks++)
        for (const id of failing) database.beforeCommit(trx, adding(id))
        await add(trx, 1)
      })
      await t.rejects(work, { code: '23505' })
      t.same(await ids(), [])
    }
    t.equal(callbacks, 0)
    await database.transaction((trx) => add(trx, 1))
    t.same(await ids(), [1])
  })

  t.test('none of them runs when the work failed, or for a transaction that is over', async (t) => {
    const { ids, add } = await withNotes(t)
    const work = database.transaction(async (trx) => {
      database.beforeCommit(trx, adding(1))
      throw new Error('half-way')
    })
    await t.rejects(work, { message: 'half-way' })
    const swallowed = database.transaction(async (trx) => {
      database.beforeCommit(trx, adding(1))
      await add(trx, 2)
      await add(trx, 2).catch(() => {})
    })
    await t.rejects(swallowed)
    const trx = await database.transaction(async (trx) => trx)
    t.throws(() => database.beforeCommit(trx, adding(1)), { code: 'TRANSACTION_OVER' })
    t.same(await ids(), [])
  })

  t.test('callbacks run after the commit and before the transaction resolves', async (t) => {
    const { ids, add } = await withNotes(t)
    const seen: number[][] = []
    await database.transaction(async (trx) => {
      database.afterCommit(trx.withTables<Notes>(), async () => void seen.push(await ids()))
      await add(trx, 1)
    })
    t.same(seen, [[1]])
  })

  t.test('callbacks do not run when the transaction rolls back', async (t) => {
    await withNotes(t)
    let runs = 0
    const work = database.transaction(async (trx) => {
      database.afterCommit(trx, () => void runs++)
      throw new Error('rolled back')
    })
    await t.rejects(work)
    t.equal(runs, 0)
  })

  t.test('a callback that fails changes nothing about the commit, and the next one runs', async (t) => {
    const { ids, add } = await withNotes(t)
    let runs = 0
    await database.transaction(async (trx) => {
      database.afterCommit(trx, () => Promise.reject(new Error('too late')))
      database.afterCommit(trx, () => void runs++)
      await add(trx, 1)
    })
    t.equal(runs, 1)
    t.same(await ids(), [1])
  })

  t.test('a callback for a transaction that is over is refused', async (t) => {
    await withNotes(t)
    const trx = await database.transaction(async (trx) => trx)
    t.throws(() => database.afterCommit(trx, () => {}), { code: 'TRANSACTION_OVER' })
  })
}
