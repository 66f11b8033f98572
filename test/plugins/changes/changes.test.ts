import Fastify from 'fastify'
import { sql } from 'kysely'
import t from 'tap'
import { changesPlugin } from '../../../plugins/changes/index.ts'
import { up } from '../../../plugins/changes/migration.ts'
import { databasePlugin } from '../../../plugins/database/index.ts'
import { emptyEmbedded } from '../../support/database.ts'

const database = await emptyEmbedded(t)
const app = Fastify()
await app.register(databasePlugin, { database })
await app.register(changesPlugin)
await up(database.db)
const { changes } = app
t.teardown(async () => {
  await app.close()
  await database.close()
})

const rows = async () =>
  (await sql<{ kind: string }>`select kind, key from changes order by id`.execute(database.db)).rows

t.test('embedded, listeners hear of a change after its commit and before the transaction resolves', async (t) => {
  const heard: string[] = []
  changes.on('user', (key) => heard.push(key))
  await database.transaction(async (trx) => {
    await changes.record(trx, 'user', 'ada')
    await changes.record(trx, 'role', 'admin')
    t.same(heard, [])
  })
  t.same(heard, ['ada'], 'and only of their own kind')
  t.same(await rows(), [
    { kind: 'user', key: 'ada' },
    { kind: 'role', key: 'admin' }
  ])
})

t.test('a change that is rolled back is never heard of', async (t) => {
  const heard: string[] = []
  changes.on('session', (key) => heard.push(key))
  const work = database.transaction(async (trx) => {
    await changes.record(trx, 'session', '1')
    throw new Error('rolled back')
  })
  await t.rejects(work)
  t.same(heard, [])
})

t.test('one process is always fresh, before and after its start', async (t) => {
  t.equal(changes.isFresh(), true)
  await app.ready()
  t.equal(changes.isFresh(), true)
})

t.test('prune deletes what is old and refuses to delete what slow readers may need', async (t) => {
  await sql`truncate changes`.execute(database.db)
  await sql`insert into changes (kind, key, created_at) values ('a', 'old', now() - interval '2 hours')`.execute(
    database.db
  )
  await sql`insert into changes (kind, key) values ('a', 'new')`.execute(database.db)
  await t.rejects(changes.prune(3599), RangeError)
  t.equal(await changes.prune(3600), 1)
  t.same(await rows(), [{ kind: 'a', key: 'new' }])
})
