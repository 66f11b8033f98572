import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Kysely, sql } from 'kysely'
import t, { type Test } from 'tap'
import { compiled } from '../../../db/compiled.ts'
import { migrateUp, migrationStatus } from '../../../db/migrate.ts'
import { openDatabase } from '../../../plugins/database/index.ts'
import { emptyDatabase } from '../../support/database.ts'
import { freePort } from '../../support/own-postgres.ts'

/** PgBouncer in transaction mode before a throw-away database, with fewer server connections than clients. */
async function startBouncer(t: Test): Promise<{ url: string; direct: string }> {
  const direct = await emptyDatabase(t)
  const target = new URL(direct)
  const name = target.pathname.slice(1)
  const folder = mkdtempSync(join(tmpdir(), 'plinth-bouncer-'))
  const port = await freePort()
  writeFileSync(
    join(folder, 'bouncer.ini'),
    `[databases]
${name} = host=${target.hostname} port=${target.port || 5432} dbname=${name} user=${target.username || 'postgres'}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 2
`
  )
  // It refuses to run as root.
  const id = (flag: string) => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }))
  const user = process.getuid?.() === 0 ? { uid: id('-u'), gid: id('-g') } : {}
  execFileSync('chmod', ['-R', 'a+rX', folder])
  const bouncer: ChildProcess = spawn('pgbouncer', [join(folder, 'bouncer.ini')], {
    ...user,
    env: { PATH: `${process.env.PATH}:/usr/sbin` },
    stdio: ['ignore', 'ignore', 'pipe']
  })
  t.teardown(async () => {
    bouncer.kill('SIGKILL')
    await once(bouncer, 'exit')
    rmSync(folder, { recursive: true, force: true })
  })
  for await (const line of bouncer.stderr ?? []) if (String(line).includes('process up')) break
  return { url: `postgres://postgres@127.0.0.1:${port}/${name}`, direct }
}

const { url } = await startBouncer(t)

t.test('behind PgBouncer named statements and startup parameters are refused: why there is a switch', async (t) => {
  await t.rejects(openDatabase({ url }), { message: /unsupported startup parameter/ })
})

t.test('without named statements everything works through PgBouncer in transaction mode', async (t) => {
  const database = await openDatabase({ url, preparedStatements: false, poolSize: 8, statementTimeoutMs: 200 })
  t.teardown(() => database.close())
  const { db } = database
  await sql`create table marks (id int primary key)`.execute(db)

  const ids = Array.from({ length: 60 }, (_, id) => id)
  await Promise.all(ids.map((id) => database.transaction((trx) => sql`insert into marks values (${id})`.execute(trx))))
  const selectMark = compiled(
    (db: Kysely<{ marks: { id: number } }>, { id }: { id: number }) =>
      db.selectFrom('marks').select('id').where('id', '=', id),
    { shortRead: true }
  )
  const reader = db.withTables<{ marks: { id: number } }>()
  const rows = await Promise.all(ids.map((id) => selectMark.executeTakeFirst(reader, { id })))
  t.same(
    rows,
    ids.map((id) => ({ id }))
  )

  const slow = database.transaction((trx) => sql`select pg_sleep(5)`.execute(trx))
  await t.rejects(slow, { code: '57014' }, 'timeouts hold inside transactions')
  const { rows: settings } = await sql`select current_setting('statement_timeout') as ms`.execute(db)
  t.same(settings, [{ ms: '0' }], 'and do not leak into the sessions of others')
})

t.test('migrations run through PgBouncer, two starters at once', async (t) => {
  const open = () => openDatabase({ url, preparedStatements: false })
  const [first, second] = await Promise.all([open(), open()])
  t.teardown(() => Promise.all([first.close(), second.close()]))
  const done = await Promise.all([migrateUp(first.db), migrateUp(second.db)])
  const status = await migrationStatus(first.db)
  t.same(
    done.flat().sort(),
    status.map(({ name }) => name),
    'each migration ran once'
  )
})
