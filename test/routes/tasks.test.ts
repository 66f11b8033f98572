import { sql } from 'kysely'
import t from 'tap'
import { startApp } from '../support/app.ts'
import { instant } from '../support/instant.ts'
import { administrator, caller, keyOf, person } from '../support/people.ts'

const app = await startApp(t, { JOBS_IN_PROCESS: 'true' })
const admin = await administrator(app)
const absent = '00000000-0000-4000-8000-000000000000'

type Client = ReturnType<typeof caller>

async function create(client: Client, message = 'Tea'): Promise<string> {
  const answer = await client.post('/tasks', { message })
  if (answer.statusCode !== 201) throw new Error(`create: ${answer.statusCode} ${answer.body}`)
  return answer.json().data.id
}

const read = async (client: Client, id: string) => (await client.get(`/tasks/${id}`)).json().data

/** The task once it is in that state; fails after 20 s. */
async function reached(client: Client, id: string, state: string) {
  const deadline = Date.now() + 20_000
  for (;;) {
    const task = await read(client, id)
    if (task.state === state) return task
    if (Date.now() > deadline) throw new Error(`still ${JSON.stringify(task)}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

/** Tasks of this message wait for an hour, so that a test can look at them. */
async function hold(message: string) {
  await sql`create or replace function hold() returns trigger language plpgsql as $$
    begin if new.name = 'complete_task' and new.data ->> 'message' = 'Held' then new.start_after = now() + interval '1 hour'; end if;
    return new; end $$`.execute(app.db)
  await sql`create or replace trigger hold before insert on pgboss.job_common for each row execute function hold()`.execute(
    app.db
  )
  return message
}
const held = await hold('Held')
const jobState = async (id: string) =>
  (await sql<{ state: string }>`select state from pgboss.job where id = ${id}`.execute(app.db)).rows[0]?.state

t.test('a task is taken, done in the background, and tells its result', async (t) => {
  const owner = await person(app)
  const created = await owner.as.post('/tasks', { message: 'Tea' })
  t.equal(created.statusCode, 201, created.body)
  const { data } = created.json()
  t.match(data, { owner_id: owner.id, message: 'Tea', state: 'queued', result: null, attempts: 0, started_at: null })
  t.equal(created.headers.location, `/api/v1/tasks/${data.id}`)
  const done = await reached(owner.as, data.id, 'completed')
  const { id, owner_id, message, created_at } = data
  t.match(done, { id, owner_id, message, created_at, result: 'Task Tea is complete!', attempts: 1 })
  const times = [done.created_at, done.started_at, done.finished_at].map(instant)
  t.same(times, times.toSorted())
  t.match((await owner.as.get('/tasks')).json(), { total_count: 1, data: [done] })

  const { rows } = await sql<{ action: string; actor_id: string }>`
    select action, actor_id from audit_events where target_id = ${data.id}`.execute(app.db)
  t.same(rows, [{ action: 'task.created', actor_id: owner.id }])
})

t.test('a repeated request with one key is one task and one job', async (t) => {
  const { headers, as } = await person(app)
  const send = () =>
    app.inject({
      method: 'POST',
      url: '/api/v1/tasks',
      headers: { ...headers, 'idempotency-key': 'once' },
      payload: { message: held }
    })
  const [first, again] = [await send(), await send()]
  t.equal(again.headers['idempotency-replayed'], 'true')
  t.same(again.json(), first.json())
  t.equal((await as.get('/tasks')).json().total_count, 1)
})

t.test('what cannot be a task is refused and leaves neither a row nor a job', async (t) => {
  const { as } = await person(app)
  const bad = [{}, { message: '' }, { message: 'x'.repeat(201) }, { message: 1 }, { message: 'x', state: 'completed' }]
  const statuses: number[] = []
  for (const payload of bad) statuses.push((await as.post('/tasks', payload)).statusCode)
  t.same(statuses, [422, 422, 422, 422, 422])
  t.equal((await as.get('/tasks')).json().total_count, 0)
})

t.test('others’ tasks are as good as absent, and administrators see all', async (t) => {
  const [owner, other] = [await person(app), await person(app)]
  const id = await create(owner.as, held)
  for (const path of [`/tasks/${id}`, `/tasks/${absent}`]) {
    t.equal((await other.as.get(path)).statusCode, 404)
    t.equal((await other.as.post(`${path}/cancellation`)).statusCode, 404)
    t.equal((await app.inject(`/api/v1${path}`)).statusCode, 401)
    t.equal((await app.inject({ method: 'POST', url: `/api/v1${path}/cancellation` })).statusCode, 401)
  }
  t.equal((await owner.as.get('/tasks/42')).statusCode, 422)
  t.equal((await admin.as.get(`/tasks/${absent}`)).statusCode, 404)
  t.equal((await admin.as.post(`/tasks/${absent}/retry`)).statusCode, 404)
  t.equal((await other.as.get('/tasks')).json().total_count, 0)
  t.equal((await other.as.get('/tasks/all')).statusCode, 403)
  t.match(await read(admin.as, id), { id, owner_id: owner.id, state: 'queued' })
  t.equal(await jobState(id), 'created')
})

t.test('an API key has tasks done as far as its scopes go', async (t) => {
  const owner = await person(app)
  const { headers } = await keyOf(app, owner, ['create:task:me', 'read:task:me'])
  const key = caller(app, headers)
  const id = await create(key, held)
  t.match(await read(key, id), { owner_id: owner.id })
  t.equal((await key.post(`/tasks/${id}/cancellation`)).statusCode, 403)
})

t.test('its owner or an administrator cancels a task that is not over, and then it never runs', async (t) => {
  const owner = await person(app)
  const [own, admins] = [await create(owner.as, held), await create(owner.as, held)]
  const cancelled = await owner.as.post(`/tasks/${own}/cancellation`)
  t.match(cancelled.json().data, { id: own, state: 'cancelled', attempts: 0, finished_at: /Z$/ })
  t.equal((await admin.as.post(`/tasks/${admins}/cancellation`)).statusCode, 200)
  t.same([await jobState(own), await jobState(admins)], ['cancelled', 'cancelled'])

  const again = await owner.as.post(`/tasks/${own}/cancellation`)
  t.match([again.statusCode, again.json().message], [409, 'The task is over: cancelled'])
  const done = await create(owner.as)
  await reached(owner.as, done, 'completed')
  t.equal((await owner.as.post(`/tasks/${done}/cancellation`)).statusCode, 409)
  t.match((await owner.as.get('/tasks?state=cancelled')).json(), { total_count: 2 })
})

t.test('an administrator has a failed task tried again, whether its job is remembered or not', async (t) => {
  const owner = await person(app)
  const [remembered, forgotten] = [await create(owner.as, held), await create(owner.as, held)]
  t.equal((await admin.as.post(`/tasks/${remembered}/retry`)).statusCode, 409, 'it has not failed')
  await app.db
    .updateTable('tasks')
    .set({ state: 'failed', finished_at: new Date().toISOString(), attempts: 6 })
    .where('public_id', 'in', [remembered, forgotten])
    .execute()
  await sql`update pgboss.job set state = 'failed', start_after = now() where id = ${remembered}`.execute(app.db)
  await sql`delete from pgboss.job where id = ${forgotten}`.execute(app.db)

  t.equal((await owner.as.post(`/tasks/${remembered}/retry`)).statusCode, 403)
  t.match((await admin.as.post(`/tasks/${remembered}/retry`)).json().data, { state: 'queued', finished_at: null })
  t.match(await reached(owner.as, remembered, 'completed'), { result: 'Task Held is complete!' })
  t.equal((await admin.as.post(`/tasks/${forgotten}/retry`)).statusCode, 200)
  t.equal(await jobState(forgotten), 'created')
})

t.test('administrators walk through everybody’s tasks by state, and see how long the queues are', async (t) => {
  await Promise.all([1, 2, 3].map(async () => create((await person(app)).as, held)))
  const first = (await admin.as.get('/tasks/all?state=queued&limit=2')).json()
  t.match(first, { has_more: true, data: [{ state: 'queued' }, { state: 'queued' }] })
  const next = (await admin.as.get(`/tasks/all?state=queued&limit=100&cursor=${first.next_cursor}`)).json()
  const ids = [...first.data, ...next.data].map(({ id }: { id: string }) => id)
  t.equal(new Set(ids).size, ids.length)
  t.equal((await admin.as.get(`/tasks/all?state=failed&cursor=${first.next_cursor}`)).statusCode, 422)
  t.equal((await admin.as.get('/tasks/all')).json().data.length, 10)

  const { data } = (await admin.as.get('/tasks/statistics')).json()
  const byJob = Object.fromEntries(data.map(({ job, ...counts }: { job: string }) => [job, counts]))
  t.match(byJob, { complete_task: { waiting: 0, delayed: ids.length, running: 0, dead: 0 }, clean_up: {} })
})

t.test('the figures of the jobs are among the metrics', async (t) => {
  const owner = await person(app)
  await reached(owner.as, await create(owner.as), 'completed')
  const { body } = await app.inject({ url: '/metrics', remoteAddress: '127.0.0.1' })
  t.match(body, /^job_queue_depth\{job="complete_task",state="waiting"\} \d+$/m)
  t.match(body, /^job_runs_total\{job="complete_task",outcome="completed"\} [1-9]/m)
  t.match(body, /^job_duration_seconds_count\{job="complete_task"\} [1-9]/m)
})
