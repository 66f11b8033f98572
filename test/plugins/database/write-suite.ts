import { CamelCasePlugin, type Kysely, sql } from 'kysely'
import type { Test } from 'tap'
import type { Companion, OpenDatabase, Tables } from '../../../plugins/database/index.ts'
import { notesOf } from './notes.ts'

/** What a write of one statement promises on both databases. */
export function writeSuite(t: Test, database: OpenDatabase): void {
  const withNotes = notesOf(database)
  const insert = async (to: Kysely<Tables>, id: number) =>
    (await sql<{ id: number }>`insert into notes values (${id}, ${'first'}) returning id`.execute(to)).rows[0]
  /** Another note for each that was written. */
  const another = (id: number): Companion => ({
    sql: 'insert into notes (text, id) select $1::text || id, $2::int from written',
    parameters: ['beside ', id]
  })
  const texts = async () => (await sql<{ text: string }>`select text from notes order by id`.execute(database.db)).rows

  t.test('a statement and its companions take effect together, each with its own values', async (t) => {
    await withNotes(t)
    for (const id of [1, 4]) {
      const row = await database.write((trx) => insert(trx, id), [another(id + 1), another(id + 2)])
      t.same(row, { id })
    }
    t.same(
      (await texts()).map(({ text }) => text),
      ['first', 'beside 1', 'beside 1', 'first', 'beside 4', 'beside 4']
    )
  })

  t.test('if either fails, neither is there', async (t) => {
    const { ids } = await withNotes(t)
    await database.write((trx) => insert(trx, 1))
    await t.rejects(
      database.write((trx) => insert(trx, 2), [another(1)]),
      { code: '23505' }
    )
    await t.rejects(
      database.write((trx) => insert(trx, 1), [another(3)]),
      { code: '23505' }
    )
    await t.rejects(
      database.write((trx) => insert(trx, 2), [{ sql: 'insert into nowhere select id from written', parameters: [] }]),
      { code: '42P01' }
    )
    t.same(await ids(), [1])
  })

  t.test('what changes no row has no companions', async (t) => {
    const { db, ids } = await withNotes(t)
    const update = (id: number) =>
      database.write(
        (trx) =>
          trx
            .withTables<{ notes: { id: number; text: string } }>()
            .updateTable('notes')
            .set({ text: 'new' })
            .where('id', '=', id)
            .returning('id')
            .executeTakeFirst(),
        [another(id + 1)]
      )
    t.equal(await update(1), undefined)
    t.same(await ids(), [])
    await db.insertInto('notes').values({ id: 1, text: 'old' }).execute()
    t.same(await update(1), { id: 1 })
    t.same(await ids(), [1, 2])
  })

  t.test('how many rows were changed is told with companions, too', async (t) => {
    const { db } = await withNotes(t)
    for (const id of [1, 2, 3]) await db.insertInto('notes').values({ id, text: 'old' }).execute()
    for (const companions of [[], [{ sql: 'insert into notes select 10 + id from written', parameters: [] }]]) {
      const { numAffectedRows } = await database.write(
        (trx) => sql`update notes set text = ${'new'} where id < 3 returning id`.execute(trx),
        companions
      )
      t.equal(numAffectedRows, 2n)
    }
  })

  t.test('a second statement is refused, and whatever else would be one', async (t) => {
    const { ids } = await withNotes(t)
    const code = 'MORE_THAN_ONE_STATEMENT'
    const twice = database.write(async (trx) => {
      await insert(trx, 1)
      await insert(trx, 2)
    })
    await t.rejects(twice, { code })
    const both = database.write((trx) => Promise.allSettled([insert(trx, 3), insert(trx, 4)]))
    t.match(await both, [{ status: 'fulfilled' }, { status: 'rejected', reason: { code } }])
    await t.rejects(
      database.write((trx) => insert(trx.withPlugin(new CamelCasePlugin()), 6)),
      { code }
    )
    t.same(await ids(), [1, 3], 'a first statement is committed when it has run')
  })

  t.test('inside a transaction there is no other one', async (t) => {
    const { ids } = await withNotes(t)
    const nested = database.transaction(() => database.write((trx) => insert(trx, 1)))
    await t.rejects(nested, { code: 'INSIDE_TRANSACTION' })
    const elsewhere = database.write(async (trx) => {
      database.afterCommit(trx, () => {})
      await insert(trx, 2)
    })
    await t.rejects(elsewhere, { code: 'TRANSACTION_OVER' })
    t.same(await ids(), [])
  })

  t.test('a serialization failure or a deadlock runs it again, twice at most', async (t) => {
    const { ids } = await withNotes(t)
    await sql`create sequence attempts`.execute(database.db)
    await sql`create function fail_first() returns trigger language plpgsql as $$ begin
      if nextval('attempts') < new.id then raise exception using errcode = '40P01'; end if; return new; end $$`.execute(
      database.db
    )
    await sql`create trigger fail_first before insert on notes for each row execute function fail_first()`.execute(
      database.db
    )
    t.teardown(async () => {
      await sql`drop function fail_first cascade`.execute(database.db)
      await sql`drop sequence attempts`.execute(database.db)
    })
    t.same(await database.write((trx) => insert(trx, 3)), { id: 3 })
    await sql`alter sequence attempts restart`.execute(database.db)
    await t.rejects(
      database.write((trx) => insert(trx, 4)),
      { code: '40P01' }
    )
    t.same(await ids(), [3])
  })
}
