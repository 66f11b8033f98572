import { sql } from 'kysely'
import t from 'tap'
import { migrateUp } from '../../db/migrate.ts'
import { openDatabase } from '../../plugins/database/index.ts'
import { emptyDatabase } from '../support/database.ts'
import { migrateSuite, tableMigration } from './migrate-suite.ts'

const url = await emptyDatabase(t)
const database = await openDatabase({ url })
t.teardown(() => database.close())
t.test('migrations on PostgreSQL', async (t) => {
  migrateSuite(t, database.db)

  t.test('a migration may take longer than the pool lets a statement take', async (t) => {
    const owner = await openDatabase({ url, statementTimeoutMs: 50 })
    t.teardown(() => owner.close())
    const folder = t.testdir({
      '0001_slow.ts': `import { sql } from 'kysely'
      export const up = (db) => sql\`select pg_sleep(0.2)\`.execute(db)
      export const down = async () => {}`
    })
    t.same(await migrateUp(owner.db, { folder }), ['0001_slow'])
  })

  t.test('a starter that dies in the middle leaves nothing half-applied, and the next one goes on', async (t) => {
    const folder = t.testdir({
      '0001_one.ts': tableMigration('one'),
      '0002_fatal.ts': `import { sql } from 'kysely'
      export async function up(db) {
        await sql\`create table half (id int)\`.execute(db)
        if (globalThis.dies) await sql\`select pg_terminate_backend(pg_backend_pid())\`.execute(db)
      }
      export const down = (db) => sql\`drop table half\`.execute(db)`
    })
    Object.assign(globalThis, { dies: true })
    await t.rejects(migrateUp(database.db, { folder }))
    const { rows } = await sql`select to_regclass('one') as one, to_regclass('half') as half`.execute(database.db)
    t.same(rows, [{ one: 'one', half: null }])

    Object.assign(globalThis, { dies: false })
    t.same(await migrateUp(database.db, { folder }), ['0002_fatal'])
  })
})
