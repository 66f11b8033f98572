import { type Kysely, sql } from 'kysely'
import type { Test } from 'tap'
import type { OpenDatabase } from '../../../plugins/database/index.ts'

/** What a row looks like, the same on both databases. */
export function rowsSuite(t: Test, database: OpenDatabase): void {
  const one = async (columns: string) => (await sql.raw<object>(`select ${columns}`).execute(database.db)).rows[0]

  t.test('scalars are numbers, text and booleans that JSON can say', async (t) => {
    const row = await one(`
      1::int2 as int2, 2::int4 as int4, 9007199254740991::int8 as int8, count(*) as count, 1.5::float8 as float8,
      12.30::numeric(10, 2) as numeric, true as bool, 'a'::text as text, null::text as nothing,
      '6f1b2c9e-0000-4000-8000-000000000001'::uuid as uuid, '{"a": [1]}'::jsonb as json,
      date '2026-11-20' as date, timestamp '2026-11-20 10:00:00.5' as timestamp,
      timestamptz '2026-11-20 12:00:00.123456+02' as timestamptz, 'infinity'::timestamptz as forever,
      interval '1 day 2 hours' as interval`)
    t.strictSame(row, {
      int2: 1,
      int4: 2,
      int8: Number.MAX_SAFE_INTEGER,
      count: 1,
      float8: 1.5,
      numeric: '12.30',
      bool: true,
      text: 'a',
      nothing: null,
      uuid: '6f1b2c9e-0000-4000-8000-000000000001',
      json: { a: [1] },
      date: '2026-11-20',
      timestamp: '2026-11-20T10:00:00.5',
      timestamptz: '2026-11-20T10:00:00.123456Z',
      forever: 'infinity',
      interval: '1 day 02:00:00'
    })
  })

  t.test('arrays hold what their scalars are', async (t) => {
    const row = await one(`
      array[1, 2]::int8[] as int8, array['2026-11-20 10:00:00+00', null]::timestamptz[] as timestamptz,
      array[date '2026-11-20'] as date, array[1.50]::numeric[] as numeric, array['a', 'b"c', null] as text,
      array[['a'], ['b']] as nested, array['6f1b2c9e-0000-4000-8000-000000000001'::uuid] as uuid`)
    t.strictSame(row, {
      int8: [1, 2],
      timestamptz: ['2026-11-20T10:00:00Z', null],
      date: ['2026-11-20'],
      numeric: ['1.50'],
      text: ['a', 'b"c', null],
      nested: [['a'], ['b']],
      uuid: ['6f1b2c9e-0000-4000-8000-000000000001']
    })
  })

  t.test('bytea is a Buffer', async (t) => {
    const { rows } = await sql<{ bytes: Buffer }>`select '\\x00ff'::bytea as bytes`.execute(database.db)
    t.ok(Buffer.isBuffer(rows[0]?.bytes))
    t.equal(rows[0]?.bytes.toString('hex'), '00ff')
  })

  t.test('an int8 beyond the safe integers is an error, and the connection stays usable', async (t) => {
    await t.rejects(sql`select 9007199254740993::int8 as big`.execute(database.db), RangeError)
    t.same(await one('1 as one'), { one: 1 })
  })

  t.test('a statement that runs again and again gives the same rows, alone and beside itself', async (t) => {
    const { db } = database
    await sql`create table again (id int primary key, at timestamptz, big int8, text text)`.execute(db)
    t.teardown(() => sql`drop table again`.execute(db))
    const add = (id: number) => sql`insert into again (id) values (${id})`.execute(db)
    for (const id of [1, 2, 3]) t.strictSame((await add(id)).numAffectedRows, 1n, 'no rows at all')
    await sql`update again set at = '2026-11-20 10:00:00+00', big = 7, text = 'x' where id = ${2}`.execute(db)
    const select = <DB>(to: Kysely<DB>, id: number) => sql`select * from again where id = ${id}`.execute(to)
    const rowOf = (id: number) =>
      id === 2
        ? [{ id, at: '2026-11-20T10:00:00Z', big: 7, text: 'x' }]
        : id === 4
          ? []
          : [{ id, at: null, big: null, text: null }]
    for (const id of [4, 1, 2, 3, 4, 2]) t.strictSame((await select(db, id)).rows, rowOf(id))
    const ids = Array.from({ length: 40 }, (_, n) => 1 + (n % 4))
    const results = await Promise.all(ids.map((id) => select(db, id)))
    t.strictSame(
      results.map(({ rows }) => rows),
      ids.map(rowOf)
    )
    await database.transaction(async (trx) => {
      for (const id of [4, 2, 1]) t.strictSame((await select(trx, id)).rows, rowOf(id))
    })
    await t.rejects(select(db, Number.NaN), { code: '22P02' })
    t.strictSame((await select(db, 2)).rows, rowOf(2), 'an error in between changes nothing')
  })

  t.test('the session thinks in UTC', async (t) => {
    t.same(await one(`current_setting('TimeZone') as zone, '2026-01-01'::timestamptz as midnight`), {
      zone: 'UTC',
      midnight: '2026-01-01T00:00:00Z'
    })
  })

  t.test('an error of the database keeps its SQLSTATE', async (t) => {
    await t.rejects(sql`select 'x'::int`.execute(database.db), { code: '22P02' })
    await t.rejects(sql`select ${'a\0b'}::text`.execute(database.db), { code: '22021' })
  })
}
