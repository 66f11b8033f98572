import pg from 'pg'
import t from 'tap'
import { runMigrate } from '../../scripts/migrate/command.ts'
import { buildApp } from '../../src/app.ts'
import { appRole, openMigrationDatabase } from '../../src/database.ts'
import { cleanUp } from '../../src/jobs/cleanup.ts'
import { signUp, testConfig } from '../support/app.ts'
import { adminUrl, emptyDatabase } from '../support/database.ts'

const suffix = crypto.randomUUID().slice(0, 8)
const roles = { owner: `plinth_owner_${suffix}`, app: `plinth_app_${suffix}` }

/** Runs statements as the superuser, in the database of this URL. */
async function asSuperuser(url: string, ...statements: string[]): Promise<void> {
  const client = new pg.Client(url)
  await client.connect()
  for (const statement of statements) await client.query(statement)
  await client.end()
}

/** Two roles, and a database of the first one's; the URLs of both to it. */
async function createRoles() {
  t.teardown(() => asSuperuser(adminUrl, `drop role if exists ${roles.owner}`, `drop role if exists ${roles.app}`))
  const url = await emptyDatabase(t)
  const name = new URL(url).pathname.slice(1)
  await asSuperuser(
    url,
    `create role ${roles.owner} login password 'owner'`,
    `create role ${roles.app} login password 'app'`,
    `alter database ${name} owner to ${roles.owner}`,
    `alter schema public owner to ${roles.owner}`
  )
  const as = (role: string, password: string) => Object.assign(new URL(url), { username: role, password }).href
  return { MIGRATION_DATABASE_URL: as(roles.owner, 'owner'), DATABASE_URL: as(roles.app, 'app') }
}

const urls = await createRoles()
const config = testConfig(t, urls)
async function migrate(...args: string[]): Promise<void> {
  const owner = await openMigrationDatabase(config)
  await runMigrate(
    args,
    (use) => use(owner.db, appRole(config)),
    () => {}
  ).finally(() => owner.close())
}
await migrate('up')
const app = await buildApp(config)
t.teardown(() => app.close())

t.test('O08: the service works as a role that owns nothing', async (t) => {
  const { headers, refreshToken, email } = await signUp(app)
  const call = (method: 'GET' | 'POST' | 'PATCH' | 'DELETE', url: string, payload?: object) =>
    app.inject({ method, url: `/api/v1${url}`, headers, ...(payload && { payload }) })

  const created = await call('POST', '/todos', { title: 'Buy milk' })
  const url = `/todos/${created.json().data.id}`
  const statuses = [
    created,
    await call('GET', url),
    await call('PATCH', url, { completed: true }),
    await call('DELETE', url),
    await call('PATCH', '/users/me', { name: 'Ada' }),
    await call('POST', '/auth/login', { identifier: email, password: 'wrong-password' }),
    await call('POST', '/auth/login', { identifier: email, password: 'wrong-password' }),
    await call('POST', '/auth/refresh', { refresh_token: refreshToken }),
    await call('POST', '/auth/logout')
  ].map(({ statusCode }) => statusCode)

  t.same(statuses, [201, 200, 200, 204, 200, 401, 401, 200, 204])
  const events = await app.db.selectFrom('audit_events').select(['action', 'count']).orderBy('id').execute()
  t.same(
    events.map(({ action, count }) => `${action} ${count}`),
    [
      ...['user.created 1', 'sign_in.succeeded 1', 'todo.created 1', 'todo.updated 1', 'todo.deleted 1'],
      ...['user.updated 1', 'sign_in.failed 2', 'sign_out 1']
    ]
  )
  t.match(await cleanUp(app), { sessions: 0, audit_events: 0, changes: 0 })
})

t.test('O08: that role can neither change nor delete events, nor lift the guard', async (t) => {
  const client = new pg.Client(urls.DATABASE_URL)
  await client.connect()
  t.teardown(() => client.end())
  const read = async () => (await client.query('select * from audit_events order by id')).rows
  const before = await read()
  t.ok(before.length > 0)

  for (const statement of [
    `update audit_events set actor_id = null`,
    `update audit_events set count = count + 1`,
    `delete from audit_events`,
    `truncate audit_events`,
    `insert into audit_events (action, created_at) values ('note.created', '2020-01-01')`,
    `insert into audit_events (action, count) values ('note.created', 7)`,
    `drop table audit_events`,
    `drop trigger audit_events_guard on audit_events`,
    `drop trigger audit_events_guard_truncate on audit_events`,
    `alter table audit_events disable trigger all`,
    `alter table audit_events disable trigger audit_events_guard`,
    `alter table audit_events owner to ${roles.app}`,
    `set session_replication_role = replica`,
    `set role ${roles.owner}`,
    `grant delete on audit_events to ${roles.app}`,
    `create or replace function guard_audit_events() returns trigger language plpgsql as 'begin return old; end'`,
    `alter function prune_audit_events(integer, integer) reset search_path`,
    `delete from schema_migrations`
  ]) {
    // "grant" without the right to is a warning of PostgreSQL; what counts is that nothing was granted.
    const outcome = await client.query(statement).then(
      () => 'done',
      (error) => error.code
    )
    t.match(outcome, statement.startsWith('grant') ? /^(42501|done)$/ : /^42501$/, statement)
  }
  await t.rejects(client.query(`select prune_audit_events(29, 1000)`), { code: '22023' })
  await t.rejects(client.query(`delete from audit_events`), { code: '42501' })

  // A table of one's own in a schema of one's own does not get under the functions.
  await client.query(`create temporary table audit_events (like public.audit_events including all)`)
  await client.query(`set search_path = pg_temp, public`)
  await client.query(`set audit.pruning = 'on'`)
  await client.query(`select prune_audit_events(30, 1000)`)
  await client.query(`drop table pg_temp.audit_events`)
  t.same(await read(), before)
})

t.test('migrations that come later give that role its rights too, and going down works', async (t) => {
  await app.close()
  await migrate('to', '0006')
  await migrate('up')
  const again = await buildApp(config)
  t.teardown(() => again.close())
  t.equal((await signUp(again)).accessToken.length > 0, true)
})
