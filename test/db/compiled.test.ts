import { type GeneratedAlways, type Kysely, sql } from 'kysely'
import t from 'tap'
import { compiled } from '../../db/compiled.ts'
import type { Tables } from '../../plugins/database/index.ts'
import { emptyEmbedded } from '../support/database.ts'

interface ScribblesTable {
  id: GeneratedAlways<number>
  author: string
  text: string | null
}
type Scribbles = { scribbles: ScribblesTable }

const database = await emptyEmbedded(t)
const db = database.db.withTables<Scribbles>()

t.test('compiled queries', async (t) => {
  t.beforeEach(async () => {
    await sql`drop table if exists scribbles`.execute(db)
    await sql`create table scribbles (id int generated always as identity, author text not null, text text)`.execute(db)
    await sql`insert into scribbles (author, text) values ('ada', 'one'), ('ada', null), ('bob', 'three')`.execute(db)
  })

  t.test('values are bound by name at each run, though the query is built once', async (t) => {
    let builds = 0
    const select = compiled((db: Kysely<Tables & Scribbles>, { author, id }: { id: number; author: string }) => {
      builds++
      return db
        .selectFrom('scribbles')
        .select(['id', 'text'])
        .where('author', '=', author)
        .where('id', '<=', id)
        .orderBy('id')
    })
    t.same(await select.execute(db, { id: 3, author: 'ada' }), [
      { id: 1, text: 'one' },
      { id: 2, text: null }
    ])
    t.same(await select.execute(db, { author: 'bob', id: 3 }), [{ id: 3, text: 'three' }])
    t.same(await select.execute(db, { author: 'bob', id: 2 }), [])
    t.equal(builds, 1)
  })

  t.test('a value may be used twice, beside constants, in limits and in raw SQL', async (t) => {
    const select = compiled((db: Kysely<Tables & Scribbles>, p: { author: string; limit: number; ids: number[] }) =>
      db
        .selectFrom('scribbles')
        .select(({ eb }) => [
          'id',
          eb('author', '=', p.author).as('is_own'),
          sql<string>`${p.author}::text`.as('asked')
        ])
        .where('text', 'is distinct from', 'three')
        .where('id', '=', sql<number>`any(${p.ids}::int[])`)
        .orderBy('id')
        .limit(p.limit)
    )
    t.same(await select.execute(db, { author: 'ada', limit: 1, ids: [3, 2, 1] }), [
      { id: 1, is_own: true, asked: 'ada' }
    ])
    t.same(await select.execute(db, { author: 'bob', limit: 9, ids: [2, 3] }), [{ id: 2, is_own: false, asked: 'bob' }])
  })

  t.test('writes and null are values like any other', async (t) => {
    const insert = compiled(
      (db: Kysely<Tables & Scribbles>, { author, text }: { author: string; text: string | null }) =>
        db.insertInto('scribbles').values({ author, text }).returning(['id', 'text'])
    )
    t.same(await insert.executeTakeFirst(db, { author: 'cyd', text: null }), { id: 4, text: null })
    t.same(await insert.executeTakeFirst(db, { author: 'cyd', text: 'five' }), { id: 5, text: 'five' })
  })

  t.test('in a transaction it belongs to the transaction', async (t) => {
    const select = compiled(
      (db: Kysely<Tables & Scribbles>, { id }: { id: number }) =>
        db.selectFrom('scribbles').select('text').where('id', '=', id),
      { shortRead: true }
    )
    await database.transaction(async (trx) => {
      await sql`update scribbles set text = 'changed' where id = 1`.execute(trx)
      t.same(await select.executeTakeFirst(trx.withTables<Scribbles>(), { id: 1 }), { text: 'changed' })
      await t.rejects(select.execute(db, { id: 1 }), { code: 'INSIDE_TRANSACTION' })
    })
  })

  t.test('the first row, or undefined, or an error where there must be one', async (t) => {
    const select = compiled((db: Kysely<Tables & Scribbles>, { id }: { id: number }) =>
      db.selectFrom('scribbles').select('author').where('id', '=', id)
    )
    const row: { author: string } | undefined = await select.executeTakeFirst(db, { id: 3 })
    t.same(row, { author: 'bob' })
    t.equal(await select.executeTakeFirst(db, { id: 99 }), undefined)
    t.same(await select.executeTakeFirstOrThrow(db, { id: 3 }), { author: 'bob' })
    await t.rejects(select.executeTakeFirstOrThrow(db, { id: 99 }), { message: 'The query returned no row' })
  })

  t.test('a value that was forgotten is an error, not a null', async (t) => {
    const select = compiled((db: Kysely<Tables & Scribbles>, { id }: { id?: number }) =>
      db
        .selectFrom('scribbles')
        .select('id')
        .where('id', '=', id ?? 0)
    )
    await t.rejects(select.execute(db, {}), { message: 'The query needs a value for id' })
  })

  t.test('values that are not named one by one are an error, not a condition that is always true', async (t) => {
    const select = compiled((db: Kysely<Tables & Scribbles>, values: { id: number }) =>
      db
        .selectFrom('scribbles')
        .select('id')
        .where((eb) => eb.and(values))
    )
    await t.rejects(select.execute(db, { id: 1 }), { message: /^A compiled query takes its values one by one/ })
  })

  t.test('only a select without locks is a short read', async (t) => {
    const locking = compiled(
      (db: Kysely<Tables & Scribbles>, _: object) => db.selectFrom('scribbles').select('id').forUpdate(),
      {
        shortRead: true
      }
    )
    const writing = compiled(
      (db: Kysely<Tables & Scribbles>, _: object) => db.deleteFrom('scribbles').returning('id'),
      {
        shortRead: true
      }
    )
    await t.rejects(locking.execute(db, {}), { message: /^Not a short read, it writes or locks: select/ })
    await t.rejects(writing.execute(db, {}), { message: /^Not a short read, it writes or locks: delete/ })
    t.equal((await sql`select 1 from scribbles`.execute(db)).rows.length, 3)
  })
})
