import { setTimeout as delay } from 'node:timers/promises'
import { sql } from 'kysely'
import t, { type Test } from 'tap'
import { buildApp } from '../../src/app.ts'
import { generateSecrets } from '../../src/secrets.ts'
import { testConfig } from '../support/app.ts'
import { testDatabase } from '../support/database.ts'
import { administrator, person } from '../support/people.ts'
import { type Server, startWorker } from '../support/server.ts'

const KILLS = 50
/** How soon what a killed worker had begun must run again. */
const RERUN_MS = 90_000

t.setTimeout(600_000)

/** An API of this process that enqueues, and tables that tell what tasks ran where and what came of them. */
async function setUp(t: Test) {
  const { url = '' } = await testDatabase(t, 'services')
  const variables: Record<string, string> = { ...generateSecrets(), DATABASE_URL: url, LOG_LEVEL: 'warn' }
  const app = await buildApp(testConfig(t, variables))
  t.teardown(() => app.close())
  await app.ready()
  await sql`create table runs (task_id uuid, attempt int, worker text default current_setting('application_name'),
    at timestamptz default clock_timestamp())`.execute(app.db)
  await sql`create table ledger (task_id uuid)`.execute(app.db)
  await sql`create table antidote (message text)`.execute(app.db)
  await sql`create function watch() returns trigger language plpgsql as $$ begin
    if new.state = 'running' then insert into runs (task_id, attempt) values (new.public_id, new.attempts); end if;
    if new.state = 'completed' then
      if new.message = 'poison' and not exists (select from antidote) then raise exception 'poisoned'; end if;
      insert into ledger values (new.public_id);
      if new.message like '%inside' then perform pg_sleep(0.3); end if;
    end if;
    return new; end $$`.execute(app.db)
  await sql`create trigger watch after update on tasks for each row execute function watch()`.execute(app.db)

  // A worker may die between taking a job and the first line of it.
  await sql`create table claims (job_id uuid, at timestamptz default clock_timestamp())`.execute(app.db)
  await sql`create function claim() returns trigger language plpgsql as $$ begin
    insert into claims (job_id) values (new.id); return new; end $$`.execute(app.db)
  await sql`create trigger claim after update on pgboss.job_common for each row
    when (new.state = 'active' and old.state <> 'active') execute function claim()`.execute(app.db)

  const owner = await person(app)
  return {
    app,
    variables,
    async create(message: string): Promise<string> {
      const created = await owner.as.post('/tasks', { message })
      if (created.statusCode !== 201) throw new Error(created.body)
      return created.json().data.id
    },
    read: async (id: string) => (await owner.as.get(`/tasks/${id}`)).json().data,
    runsOf: async (id: string) =>
      (
        await sql<{
          worker: string
          at: string
        }>`select worker, at from runs where task_id = ${id} order by at`.execute(app.db)
      ).rows,
    async count(table: 'ledger' | 'tasks', condition = sql<boolean>`true`): Promise<number> {
      const { rows } = await sql<{
        count: number
      }>`select count(*) as count from ${sql.table(table)} where ${condition}`.execute(app.db)
      return rows[0]?.count ?? 0
    }
  }
}

async function until(isSo: () => Promise<boolean>, withinMs = 30_000): Promise<void> {
  const deadline = Date.now() + withinMs
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error(`not within ${withinMs} ms: ${isSo}`)
    await delay(5)
  }
}

t.test(`a worker is killed ${KILLS} times in the middle of a job: each is done, its effect once`, async (t) => {
  const { app, variables, create, runsOf, count } = await setUp(t)
  const workers = new Map<string, Server>()
  const replace = async (name: string) => workers.set(name, await startWorker(t, { ...variables, APP_NAME: name }))
  await Promise.all([replace('one'), replace('two')])

  const ids: string[] = []
  for (let round = 0; round < KILLS; round++) {
    // In the job's transaction, right after its commit, or wherever it happens to be.
    const moment = (['inside', 'committed', 'begun'] as const)[round % 3] ?? 'begun'
    const id = await create(`${round} ${moment}`)
    ids.push(id)
    await until(async () => (await runsOf(id)).length > 0)
    const name = (await runsOf(id)).at(-1)?.worker ?? ''
    if (moment === 'inside') {
      const sleeping = sql`select from pg_stat_activity where wait_event = 'PgSleep' and application_name = ${name}`
      await until(async () => (await sleeping.execute(app.db)).rows.length > 0)
    }
    if (moment === 'committed') await until(async () => (await count('ledger', sql`task_id = ${id}`)) === 1)
    const victim = workers.get(name)
    victim?.child.kill('SIGKILL')
    await victim?.exited
    await replace(name)
  }
  await until(async () => (await count('tasks', sql`state = 'completed'`)) === KILLS, 300_000)

  t.equal(await count('ledger'), KILLS)
  const { rows } = await sql`select task_id from ledger group by task_id having count(*) > 1`.execute(app.db)
  t.same(rows, [], 'no effect twice')
  const { rows: claims } = await sql<{ gap: number | null }>`
    select (extract(epoch from at - lag(at) over (partition by job_id order by at)) * 1000)::int as gap
    from claims where job_id = any(${ids})`.execute(app.db)
  const gaps = claims.flatMap(({ gap }) => gap ?? [])
  t.comment(`${gaps.length} runs were repeated, after ${Math.min(...gaps)} to ${Math.max(...gaps)} ms`)
  t.ok(gaps.length >= KILLS / 3, 'what was killed inside ran again')
  t.ok(Math.max(...gaps) <= RERUN_MS)
})

t.test('a job whose only run was killed is told of as failed', async (t) => {
  const { app, variables, create, read, runsOf } = await setUp(t)
  const victim = await startWorker(t, { ...variables, HEARTBEAT_INTERVAL_SECONDS: '10' })
  await sql`update pgboss.queue set retry_limit = 0 where name = 'complete_task'`.execute(app.db)
  const id = await create('inside')
  await until(async () => (await runsOf(id)).length > 0)
  victim.child.kill('SIGKILL')
  await victim.exited
  await startWorker(t, { ...variables, HEARTBEAT_INTERVAL_SECONDS: '10' })
  await until(async () => (await read(id)).state === 'failed', RERUN_MS)
  t.match(await read(id), { attempts: 1, result: null, finished_at: /Z$/ })
})

t.test('a poison job is tried with growing pauses, dies, leaves the worker alive, and is retried', async (t) => {
  const { app, variables, create, read, runsOf, count } = await setUp(t)
  const admin = await administrator(app)
  const worker = await startWorker(t, variables)
  await sql`update pgboss.queue set retry_limit = 3 where name = 'complete_task'`.execute(app.db)
  const id = await create('poison')
  await until(async () => (await read(id)).state === 'failed', 60_000)

  const times = (await runsOf(id)).map(({ at }) => Date.parse(at))
  const pauses = times.slice(1).map((at, n) => at - (times[n] ?? at))
  t.comment(`pauses of ${pauses} ms`)
  t.ok(pauses.length === 3 && pauses.every((pause, n) => pause >= 1000 * 2 ** n))
  t.equal((await fetch(`${worker.url}/health/ready`)).status, 200)
  const other = await create('Tea')
  await until(async () => (await read(other)).state === 'completed')
  t.match((await admin.as.get('/tasks/all?state=failed')).json().data, [{ id, attempts: 4 }])
  const { data } = (await admin.as.get('/tasks/statistics')).json()
  t.match(
    data.find(({ job }: { job: string }) => job === 'complete_task'),
    { dead: 1, waiting: 0, running: 0 }
  )

  await sql`insert into antidote values ('taken')`.execute(app.db)
  t.equal((await admin.as.post(`/tasks/${id}/retry`)).statusCode, 200)
  await until(async () => (await read(id)).state === 'completed')
  t.match(await read(id), { attempts: 5, result: 'Task poison is complete!' })
  t.equal(await count('ledger', sql`task_id = ${id}`), 1)
})
