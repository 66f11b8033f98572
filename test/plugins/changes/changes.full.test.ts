import { sql } from 'kysely'
import t from 'tap'
import { openDatabase } from '../../../plugins/database/index.ts'
import { startPostgres } from '../../support/own-postgres.ts'
import { createTable, startApp, until } from './start-app.ts'

t.test('a silent database ends freshness within a second, and every change is heard once it wakes', async (t) => {
  const server = await startPostgres(t)
  const observer = await openDatabase({ url: server.url, poolSize: 1 })
  t.teardown(() => observer.close())
  await createTable(t, observer)
  const { app, changes, lines } = await startApp(t, { url: server.url })
  const heard: string[] = []
  changes.on('user', (key) => heard.push(key))
  await app.ready()

  for (const round of [1, 2]) {
    server.freeze()
    const frozenAt = performance.now()
    await until(() => !changes.isFresh(), 1500)
    t.ok(performance.now() - frozenAt < 1200)
    if (round === 2) await until(() => lines.length > 0, 10_000)

    server.thaw()
    await sql`insert into changes (kind, key) values ('user', ${`round ${round}`})`.execute(observer.db)
    await until(() => heard.includes(`round ${round}`) && changes.isFresh(), 2000)
  }
  t.same(heard, ['round 1', 'round 2'])
  t.equal(lines.filter(({ msg }) => msg.startsWith('The change feed')).length, 1, 'a long silence is logged once')
})

t.test('a restart of the database loses no change', async (t) => {
  const server = await startPostgres(t)
  const observer = await openDatabase({ url: server.url, poolSize: 1 })
  t.teardown(() => observer.close())
  await createTable(t, observer)
  const { app, changes, lines } = await startApp(t, { url: server.url })
  const heard: string[] = []
  changes.on('user', (key) => heard.push(key))
  await app.ready()

  await server.stop('immediate')
  await until(() => !changes.isFresh(), 1500)
  await server.start()
  await sql`insert into changes (kind, key) values ('user', 'ada')`.execute(observer.db)
  await until(() => heard.includes('ada') && changes.isFresh(), 1000)
  t.same(heard, ['ada'])
  t.equal(lines.filter(({ msg }) => msg.startsWith('The change feed')).length, 1)
})

t.test('close ends in time though the database is silent', async (t) => {
  const server = await startPostgres(t)
  const observer = await openDatabase({ url: server.url, poolSize: 1 })
  t.teardown(() => observer.close())
  await createTable(t, observer)
  const { app, database } = await startApp(t, { url: server.url, pollMs: 10 })
  await app.ready()
  server.freeze()
  await until(() => !app.changes.isFresh(), 1500)
  const startedAt = performance.now()
  await app.close()
  await database.close()
  t.ok(performance.now() - startedAt < 5000)
  server.thaw()
})
