import type { Kysely } from 'kysely'
import t from 'tap'
import { type SessionsOptions, sessionsMigration } from '../../../plugins/sessions/index.ts'
import type { SessionsTables } from '../../../plugins/sessions/table.ts'
import { createTables, key, open, startHost } from './host.ts'
import { testLifecycle } from './lifecycle.ts'
import { testRotation } from './rotation.ts'

const database = await open(t)
await createTables(database)
testLifecycle(t, database)
testRotation(t, database)

t.test('weak or ambiguous keys and senseless lives stop the start', async (t) => {
  const bad: Array<[Partial<SessionsOptions>, RegExp]> = [
    [{ keys: [] }, /at least one key/],
    [{ keys: [{ kid: 'k1', key: Buffer.alloc(31) }] }, /k1 must have at least 32 bytes/],
    [{ keys: [key, { ...key, key: Buffer.alloc(32, 2) }] }, /no kid may appear twice/],
    [{ keys: [{ ...key, kid: 'a.b' }] }, /a kid has/],
    [{ idleDays: 0 }, /idleDays/],
    [{ maxDays: 1.5 }, /maxDays/],
    [{ maxPerUser: 1001 }, /maxPerUser must be an integer from 1 to 1000/],
    [{ graceSeconds: -1 }, /graceSeconds/]
  ]
  for (const [options, message] of bad) {
    await t.rejects(startHost(t, database, options), message)
  }
})

t.test('the migration goes up and down, and follows the users it refers to', async (t) => {
  const { db } = database
  await sessionsMigration().down(db)
  const { up, down } = sessionsMigration({ userReferences: 'users.id' })
  await db.schema
    .createTable('users')
    .addColumn('id', 'bigint', (column) => column.primaryKey())
    .execute()
  await up(db)
  const tables = db as unknown as Kysely<SessionsTables & { users: { id: number } }> // only these exist here
  const session = { user_id: 1, expires_at: '2100-01-01T00:00:00Z' }

  await t.rejects(tables.insertInto('sessions').values(session).execute(), { code: '23503' })
  await tables.insertInto('users').values({ id: 1 }).execute()
  await tables.insertInto('sessions').values(session).execute()
  await tables.deleteFrom('users').execute()
  t.same(await tables.selectFrom('sessions').selectAll().execute(), [])

  await down(db)
  await t.rejects(tables.selectFrom('sessions').selectAll().execute(), { code: '42P01' })
  await up(db)
})
