import { setTimeout as delay } from 'node:timers/promises'
import { sql } from 'kysely'
import t from 'tap'
import { openDatabase } from '../../plugins/database/index.ts'
import { generateSecrets } from '../../src/secrets.ts'
import { testDatabase } from '../support/database.ts'
import { startServer, startWorker } from '../support/server.ts'

t.setTimeout(400_000)

t.test('two workers and two services that work jobs: each schedule fires once', async (t) => {
  const { url = '' } = await testDatabase(t, 'services')
  const variables = { ...generateSecrets(), DATABASE_URL: url, LOG_LEVEL: 'warn' }
  const database = await openDatabase({ url })
  t.teardown(() => database.close())
  const inProcess = { ...variables, JOBS_IN_PROCESS: 'true' }
  await Promise.all([
    startWorker(t, variables),
    startWorker(t, variables),
    startServer(t, inProcess),
    startServer(t, inProcess)
  ])
  const { rows: schedules } = await sql<{ name: string }>`
    update pgboss.schedule set cron = '* * * * *' returning name`.execute(database.db)
  t.ok(schedules.length > 0)
  // So that whole minutes are looked at.
  await delay(190_000)
  const { rows } = await sql<{ name: string; minute: string; jobs: number; done: number }>`
    select name, date_trunc('minute', created_on) as minute, count(*) as jobs, count(*) filter (where state = 'completed') as done
    from pgboss.job where name = any(${schedules.map(({ name }) => name)})
    group by 1, 2 order by 1, 2`.execute(database.db)
  t.comment(rows)
  t.same(
    rows.filter(({ jobs }) => jobs !== 1),
    [],
    'one a minute'
  )
  for (const { name } of schedules) t.ok(rows.filter((row) => row.name === name && row.done === 1).length >= 2, name)
})
