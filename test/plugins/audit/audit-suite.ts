import Fastify from 'fastify'
import { sql } from 'kysely'
import type { Test } from 'tap'
import { type AuditOptions, auditMigration, auditPlugin } from '../../../plugins/audit/index.ts'
import { databasePlugin, type OpenDatabase } from '../../../plugins/database/index.ts'
import { failuresSuite } from './failures-suite.ts'
import { keys, startHost, uuid } from './host.ts'
import { writtenSuite } from './written-suite.ts'

/** What the plugin promises on both databases. `database` is empty. */
export async function auditSuite(t: Test, database: OpenDatabase): Promise<void> {
  const host = await startHost(t, database)
  const { app, fail, events, clear, age } = host
  t.beforeEach(clear)

  t.test(
    'what changed is told by the route, or by the names in the body of a PATCH, and is always small',
    async (t) => {
      const long = 'x'.repeat(5000)
      const before = { name: 'a', is_active: true, tags: ['one'], text: long }
      const after = { name: 'a', is_active: false, tags: ['one'], text: `${long}y`, hidden: 1 }
      const details = app.audit.difference(before, after, ['name', 'is_active', 'tags', 'text'])
      await app.inject({ method: 'POST', url: '/notes/n1', payload: { data: null, details } })
      const many = Object.fromEntries(Array.from({ length: 2000 }, (_, n) => [`${n}${'z'.repeat(400)}`, n]))
      for (const payload of [{ title: 'private' }, many, [1]]) {
        t.equal((await app.inject({ method: 'PATCH', url: '/notes/n1', payload })).statusCode, 200)
      }
      const [told, named, bounded, list] = (await events()).map((row) => row.details)
      t.same(told, {
        fields: ['is_active', 'text', 'hidden'],
        from: { is_active: true, text: '[too long]' },
        to: { is_active: false, text: '[too long]' }
      })
      t.same(named, { fields: ['title'] })
      t.ok(JSON.stringify(bounded).length < 8000)
      t.equal(list, null)
      t.same(app.audit.difference({}, { name: 'a', pin: 1 }, ['name']), { fields: ['name', 'pin'], to: { name: 'a' } })
    }
  )

  t.test('config.audit records the action with its target, in the transaction of the request', async (t) => {
    const payload = { data: { id: 'n7' } }
    await app.inject({ method: 'POST', url: '/notes/n7', payload, headers: { 'user-agent': 'curl/8' } })
    await app.inject({ method: 'POST', url: '/notes/n8', payload: { data: null } })
    t.equal((await app.inject({ method: 'POST', url: '/notes/n9', payload: { fail: true } })).statusCode, 409)

    t.match(await events(), [
      {
        action: 'note.updated',
        actor_id: null,
        target_type: 'note',
        target_id: 'n7',
        ip: '127.0.0.1',
        user_agent: 'curl/8',
        request_id: 'req-1',
        count: 1,
        created_at: /^\d{4}-\d\d-\d\dT[\d:.]+Z$/
      },
      { target_id: 'n8' }
    ])
    t.equal((await events()).length, 2, 'the refused request left nothing')
  })

  writtenSuite(t, app, events)

  t.test('an event of a transaction that is rolled back is not there', async (t) => {
    const attempt = app.database.transaction(async (trx) => {
      await app.audit.record(trx, { action: 'note.deleted', actor_id: uuid })
      throw new Error('undo')
    })
    await t.rejects(attempt, { message: 'undo' })
    t.same(await events(), [])
  })

  t.test('O06: values in details under names that sound like secrets never reach the table', async (t) => {
    const details = {
      from: 'a',
      new_password: 'p-1',
      nested: { refresh_token: 'p-2', api_key: 'p-3', api_key_id: 'k' }
    }
    await app.database.transaction((trx) => app.audit.record(trx, { action: 'note.updated', details }))
    const [event] = await events()
    t.match(event?.details, { from: 'a', nested: { api_key_id: 'k', api_key: '[redacted]' } })
    t.notMatch(JSON.stringify(event), /p-\d/)
  })

  t.test('O08: UPDATE, DELETE and TRUNCATE are refused, to the owner too', async (t) => {
    await app.database.transaction((trx) => app.audit.record(trx, { action: 'note.updated', target_id: 'n1' }))
    await fail({ id: uuid })
    await age(40 * 86_400)
    await fail({ id: uuid })
    for (const statement of [
      sql`update audit_events set target_id = 'n2'`,
      sql`update audit_events set count = count + 1 where action = 'note.updated'`,
      sql`update audit_events set count = count + 1 where created_at < now() - interval '1 day'`,
      sql`update audit_events set count = count + 2 where created_at > now() - interval '1 day'`,
      sql`update audit_events set count = count + 1, ip = null where created_at > now() - interval '1 day'`,
      sql`delete from audit_events`,
      sql`delete from audit_events where action = 'note.updated'`,
      sql`truncate audit_events`
    ]) {
      await t.rejects(statement.execute(app.db), { code: '42501', message: 'audit_events is append-only' })
    }
    t.match(await events(), [{ target_id: 'n1' }, { count: 1 }, { count: 1 }])
  })

  failuresSuite(t, host)

  t.test('retention deletes what is old enough, in batches, and nothing younger than 30 days', async (t) => {
    const record = (target_id: string) =>
      app.database.transaction((trx) => app.audit.record(trx, { action: 'note.updated', target_id }))
    for (const id of ['a', 'b', 'c']) await record(id)
    await age(20 * 86_400)
    await record('d')
    t.equal(await app.audit.prune(app.db), 0)
    await age(11 * 86_400)

    t.equal(await app.audit.prune(app.db, { limit: 2 }), 2)
    t.equal(await app.audit.prune(app.db), 1)
    t.match(await events(), [{ target_id: 'd' }])
    for (const days of [29, -1, null]) {
      await t.rejects(sql`select prune_audit_events(${days}, 10)`.execute(app.db), { code: '22023' })
    }
    const { rows } = await sql`select current_setting('audit.pruning', true) as pruning`.execute(app.db)
    t.notMatch(rows, [{ pruning: 'on' }])
  })

  t.test('a short key, a malformed action and a failure as an event are refused', async (t) => {
    const register = async (options: AuditOptions) => {
      const other = Fastify()
      t.teardown(() => other.close())
      await other.register(databasePlugin, { database })
      await other.register(auditPlugin, options)
      other.post('/', { config: { audit: 'Created' } }, async () => '')
    }
    await t.rejects(register({ keys: [{ kid: 'k1', key: Buffer.alloc(16) }] }), /32 bytes/)
    await t.rejects(register({ keys: [] }), /32 bytes/)
    await t.rejects(register({ keys, retentionDays: 29 }), /retentionDays/)
    await t.rejects(register({ keys }), /should be like 'todo.created'/)
    const event = app.database.transaction((trx) => app.audit.record(trx, { action: 'sign_in.failed' }))
    await t.rejects(event, /use recordFailure/)
  })

  t.test('down leaves nothing', async (t) => {
    await auditMigration.down(database.db)
    const { rows } = await sql`select proname from pg_proc where proname like '%audit%'`.execute(database.db)
    t.same(rows, [])
  })
}
