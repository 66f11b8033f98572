import { CamelCasePlugin, type Kysely, sql } from 'kysely'
import type { Test } from 'tap'
import type { Companion, OpenDatabase, Tables } from '../../../plugins/database/index.ts'
import { type Notes, notesOf } from './notes.ts'

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
  const beside = { companions: [another(99)] }
  const texts = async () => (await sql<{ text: string }>`select text from notes order by id`.execute(database.db)).rows

  t.test('a statement and its companions take effect together, each with its own values', async (t) => {
    await withNotes(t)
    for (const id of [1, 4]) {
      const row = await database.write((trx) => insert(trx, id), { companions: [another(id + 1), another(id + 2)] })
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
      database.write((trx) => insert(trx, 2), { companions: [another(1)] }),
      { code: '23505' }
    )
    await t.rejects(
      database.write((trx) => insert(trx, 1), { companions: [another(3)] }),
      { code: '23505' }
    )
    await t.rejects(
      database.write((trx) => insert(trx, 2), {
        companions: [{ sql: 'insert into nowhere select id from written', parameters: [] }]
      }),
      { code: '42P01' }
    )
    t.same(await ids(), [1])
  })

  t.test('what changes no row has no companions', async (t) => {
    const { db, ids, add } = await withNotes(t)
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
        { companions: [another(id + 1)] }
      )
    t.equal(await update(1), undefined)
    t.same(await ids(), [])
    await add(db, 1)
    t.same(await update(1), { id: 1 })
    t.same(await ids(), [1, 2])
  })

  t.test('how many rows were changed is told with companions, too', async (t) => {
    const { db, add } = await withNotes(t)
    for (const id of [1, 2, 3]) await add(db, id)
    for (const companions of [[], [{ sql: 'insert into notes select 10 + id from written', parameters: [] }]]) {
      const { numAffectedRows } = await database.write(
        (trx) => sql`update notes set text = ${'new'} where id < 3 returning id`.execute(trx),
        { companions }
      )
      t.equal(numAffectedRows, 2n)
    }
  })

  t.test('a second statement is refused, and whatever else is not one that writes', async (t) => {
    const { ids } = await withNotes(t)
    const code = 'NOT_ONE_STATEMENT'
    const twice = database.write(async (trx) => {
      await insert(trx, 1)
      await insert(trx, 2)
    })
    await t.rejects(twice, { code })
    const both = database.write((trx) => Promise.allSettled([insert(trx, 3), insert(trx, 4)]))
    t.match(await both, [{ status: 'fulfilled' }, { status: 'rejected', reason: { code } }])
    await t.rejects(
      database.write(async () => 'nothing'),
      { code }
    )
    const read = (to: Kysely<Tables>) => to.withTables<Notes>().selectFrom('notes').select('id').execute()
    await t.rejects(
      database.write(async (trx) => {
        await read(trx)
        await insert(trx, 5)
      }, beside),
      { code }
    )
    await t.rejects(
      database.write((trx) => insert(trx.withPlugin(new CamelCasePlugin()), 6)),
      { code }
    )
    for (const text of [
      'select 1 as id',
      'begin',
      'create table other (id int)',
      'delete from notes; delete from notes'
    ]) {
      await t.rejects(
        database.write((trx) => sql.raw(text).execute(trx), beside),
        { code },
        text
      )
    }
    const { signal } = new AbortController()
    await t.rejects(
      database.write((trx) => trx.withTables<Notes>().deleteFrom('notes').execute({ signal })),
      { code }
    )
    t.same(await ids(), [1, 3], 'a first statement is committed when it has run')
  })

  t.test('nothing leaves it: neither the outer db, nor a transaction, nor a statement that comes later', async (t) => {
    const { db, ids, add } = await withNotes(t)
    let kept: Kysely<Tables> | undefined
    const inside = { code: 'INSIDE_TRANSACTION' }
    await database.write(async (trx) => {
      kept = trx
      await t.rejects(add(db, 1), inside)
      await t.rejects(
        database.transaction((other) => add(other, 2)),
        inside
      )
      await t.rejects(
        database.write((other) => insert(other, 3)),
        inside
      )
      t.equal(database.current(), undefined)
      t.throws(() => database.afterCommit(trx, () => {}), { code: 'TRANSACTION_OVER' })
      await insert(trx, 4)
    })
    await t.rejects(insert(kept ?? database.db, 5), { code: 'NOT_ONE_STATEMENT' })
    const unused = database.write(async (trx) => {
      kept = trx
    })
    await t.rejects(unused, { code: 'NOT_ONE_STATEMENT' })
    await t.rejects(insert(kept ?? database.db, 6), { code: 'TRANSACTION_OVER' })
    await t.rejects(
      database.transaction(() => database.write((trx) => insert(trx, 7))),
      inside
    )
    await add(db, 8)
    t.same(await ids(), [4, 8])
  })

  t.test('a statement that nobody awaited is over when the write is, and its error is not lost', async (t) => {
    const { ids } = await withNotes(t)
    await database.write(async (trx) => void insert(trx, 1))
    t.same(await ids(), [1])
    const unawaited = database.write(async (trx) => void insert(trx, 1).catch(() => {}))
    await t.rejects(unawaited, { code: '23505' })
    const mapped = database.write((trx) => insert(trx, 1).catch(() => Promise.reject(new Error('there already'))))
    await t.rejects(mapped, { message: 'there already' }, 'unless the work says what it means')
    const early = database.write(() => Promise.reject(new Error('not at all')))
    await t.rejects(early, { message: 'not at all' })
    const failing = database.write(async (trx) => {
      insert(trx, 2)
      throw new Error('too late')
    })
    await t.rejects(failing, { message: 'too late' })
    t.same(await ids(), [1, 2])
  })

  t.test('inside a transaction it is a part of it', async (t) => {
    const { ids } = await withNotes(t)
    const half = database.transaction(async (trx) => {
      t.same(await database.write((one) => insert(one, 1), { trx, ...beside }), { id: 1 })
      t.equal((await trx.withTables<Notes>().selectFrom('notes').select('id').execute()).length, 2)
      throw new Error('half-way')
    })
    await t.rejects(half, { message: 'half-way' })
    t.same(await ids(), [])

    await database.transaction(async (trx) => {
      let kept = trx
      const unused = async (one: typeof trx) => {
        kept = one
      }
      await t.rejects(database.write(unused, { trx }), { code: 'NOT_ONE_STATEMENT' })
      await t.rejects(insert(kept, 2), { code: 'TRANSACTION_OVER' })
    })
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

    let runs = 0
    const late = database.write(async (trx) => {
      runs++
      await insert(trx, 1)
      throw Object.assign(new Error('of something else'), { code: '40P01' })
    })
    await t.rejects(late, { message: 'of something else' })
    t.equal(runs, 1, 'what is committed does not run again')
  })
}
