import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Kysely, sql } from 'kysely'
import type { Test } from 'tap'
import {
  createMigration,
  migrateDown,
  migrateTo,
  migrateUp,
  migrationHistory,
  migrationStatus
} from '../../db/migrate.ts'

const head = `import { sql } from 'kysely'\n`
/** A migration that makes a table of this name. */
export const tableMigration = (table: string) => `${head}
export const up = (db) => sql\`create table ${table} (id int)\`.execute(db)
export const down = (db) => sql\`drop table ${table}\`.execute(db)
`

const three = {
  '0001_one.ts': tableMigration('one'),
  '0002_two.ts': tableMigration('two'),
  '0003_three.ts': tableMigration('three'),
  '0003_three.d.ts': 'export {}',
  'README.md': ''
}

/** What migrations promise on both databases. `db` is empty. */
export function migrateSuite<DB>(t: Test, db: Kysely<DB>): void {
  t.afterEach(async () => {
    await sql`drop schema public cascade`.execute(db)
    await sql`create schema public`.execute(db)
  })
  const tables = async () => {
    const { rows } = await sql<{ name: string }>`
      select tablename as name from pg_tables where schemaname = 'public' order by tablename`.execute(db)
    return rows.map(({ name }) => name)
  }

  t.test('up applies what is pending in order, once, and tells of each', async (t) => {
    const folder = t.testdir(three)
    const progress: string[] = []
    const onProgress = (name: string, ms: number) => void progress.push(`${name} ${ms > 0}`)
    t.same(await migrateUp(db, { folder, onProgress }), ['0001_one', '0002_two', '0003_three'])
    t.same(progress, ['0001_one true', '0002_two true', '0003_three true'])
    t.same(await tables(), ['one', 'schema_migrations', 'three', 'two'])
    t.same(await migrateUp(db, { folder }), [])
  })

  t.test('down rolls back the last n, down to nothing, and up again works', async (t) => {
    const folder = t.testdir(three)
    await migrateUp(db, { folder })
    t.same(await migrateDown(db, 1, { folder }), ['0003_three'])
    t.same(await tables(), ['one', 'schema_migrations', 'two'])
    t.same(await migrateDown(db, Number.POSITIVE_INFINITY, { folder }), ['0002_two', '0001_one'])
    t.same(await tables(), ['schema_migrations'])
    t.same(await migrateDown(db, 1, { folder }), [])
    t.same(await migrateUp(db, { folder }), ['0001_one', '0002_two', '0003_three'])
  })

  t.test('to goes up and down, by name or number', async (t) => {
    const folder = t.testdir(three)
    t.same(await migrateTo(db, '0002_two', { folder }), ['0001_one', '0002_two'])
    t.same(await migrateTo(db, '0002', { folder }), [])
    t.same(await migrateTo(db, '0003', { folder }), ['0003_three'])
    t.same(await migrateTo(db, '0001', { folder }), ['0003_three', '0002_two'])
    t.same(await tables(), ['one', 'schema_migrations'])
    await t.rejects(migrateTo(db, '0009', { folder }), { message: 'There is no migration 0009' })
  })

  t.test('status tells of an empty database without touching it, and history of what was applied', async (t) => {
    const folder = t.testdir(three)
    t.same(await migrationStatus(db, { folder }), [
      { name: '0001_one', applied_at: null },
      { name: '0002_two', applied_at: null },
      { name: '0003_three', applied_at: null }
    ])
    t.same(await migrationHistory(db), [])
    t.same(await tables(), [])

    await migrateTo(db, '0002', { folder })
    const iso = /^\d{4}-\d\d-\d\dT[\d:.]+Z$/
    const applied = [
      { name: '0001_one', applied_at: iso },
      { name: '0002_two', applied_at: iso }
    ]
    t.match(await migrationStatus(db, { folder }), [...applied, { name: '0003_three', applied_at: null }])
    t.match(await migrationHistory(db), applied)
  })

  t.test('a migration that fails leaves nothing of itself, and those before it stay', async (t) => {
    const folder = t.testdir({
      ...three,
      '0002_two.ts': `${head}
        export async function up(db) {
          await sql\`create table half (id int)\`.execute(db)
          await sql\`create table one (id int)\`.execute(db)
        }
        export async function down() {}`
    })
    await t.rejects(migrateUp(db, { folder }), {
      message: 'Migration 0002_two (up) failed: relation "one" already exists',
      cause: { code: '42P07' }
    })
    t.same(await tables(), ['one', 'schema_migrations'])
  })

  t.test('an applied migration without its file stops everything but status', async (t) => {
    const folder = t.testdir(three)
    await migrateUp(db, { folder })
    const older = t.testdir({ older: { '0001_one.ts': three['0001_one.ts'], '0002_two.ts': three['0002_two.ts'] } })
    const options = { folder: join(older, 'older') }
    const error = { message: /has migration 0003_three, whose file is missing/ }
    await t.rejects(migrateUp(db, options), error)
    await t.rejects(migrateDown(db, 1, options), error)
    t.match(await migrationStatus(db, options), [{}, {}, { name: '0003_three', applied_at: String }])
  })

  t.test('a migration that was added before an applied one is refused', async (t) => {
    const folder = t.testdir({ a: { '0002_two.ts': tableMigration('two') }, b: three })
    await migrateUp(db, { folder: join(folder, 'a') })
    await t.rejects(migrateUp(db, { folder: join(folder, 'b') }), {
      message: 'Migration 0001_one comes before 0002_two, which is applied already: renumber it'
    })
    t.same(await tables(), ['schema_migrations', 'two'])
  })

  t.test('two starters at once apply each migration once', async (t) => {
    const folder = t.testdir(three)
    const done = await Promise.all([1, 2, 3].map(() => migrateUp(db, { folder })))
    t.same(done.flat().sort(), ['0001_one', '0002_two', '0003_three'])
  })

  t.test('a folder with two of one number, or a module that is no migration, is refused', async (t) => {
    const twins = t.testdir({ '0001_one.ts': '', '0001_uno.ts': '' })
    await t.rejects(migrateUp(db, { folder: twins }), { message: /0001_one and 0001_uno have the same number/ })
    const stray = t.testdir({ stray: { 'helper.ts': '' } })
    await t.rejects(migrateUp(db, { folder: join(stray, 'stray') }), { message: /helper\.ts is no migration/ })
    const empty = t.testdir({ empty: { '0001_one.ts': 'export const up = async () => {}' } })
    await t.rejects(migrateUp(db, { folder: join(empty, 'empty') }), { message: /0001_one must export up and down/ })
  })

  t.test('built migrations (.js) are the same ones', async (t) => {
    const folder = t.testdir({
      source: { '0001_one.ts': tableMigration('one') },
      built: { '0001_one.js': tableMigration('one'), '0001_one.d.ts': '', '0001_one.js.map': '' }
    })
    t.same(await migrateUp(db, { folder: join(folder, 'built') }), ['0001_one'])
    t.same(await migrateUp(db, { folder: join(folder, 'source') }), [])
  })

  t.test('create writes the next migration, which runs as it is', async (t) => {
    const folder = t.testdir({ '0007_seven.ts': tableMigration('seven') })
    const path = await createMigration('add_eight', folder)
    t.equal(path, join(folder, '0008_add_eight.ts'))
    t.match(readFileSync(path, 'utf8'), 'export async function down')
    t.same(await migrateUp(db, { folder }), ['0007_seven', '0008_add_eight'])
    t.same(await migrateDown(db, 2, { folder }), ['0008_add_eight', '0007_seven'])
    await t.rejects(createMigration('Add Eight', folder), { message: /snake_case/ })
    const build = t.testdir({ '0001_first.js': '' })
    await t.rejects(createMigration('add_nine', build), { message: /^This is a build/ })
  })
}
