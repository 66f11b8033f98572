import Fastify from 'fastify'
import { type Kysely, sql } from 'kysely'
import type { Test } from 'tap'
import { type AuditEventsTable, auditMigration, auditPlugin } from '../../../plugins/audit/index.ts'
import { databasePlugin, type OpenDatabase } from '../../../plugins/database/index.ts'

export const keys = [{ kid: 'k1', key: Buffer.alloc(32, 7) }]
export const uuid = '11111111-1111-4111-8111-111111111111'

export type Host = Awaited<ReturnType<typeof startHost>>

/** A service with the plugin and a few routes. `database` is empty. */
export async function startHost(t: Test, database: OpenDatabase) {
  await auditMigration.up(database.db)
  const app = Fastify({ genReqId: () => 'req-1' })
  t.teardown(() => app.close())
  await app.register(databasePlugin, { database, strict: true })
  await app.register(auditPlugin, { keys, retentionDays: 30 })
  app.decorateRequest('principal', null)
  app.post('/notes/:note_id', { config: { audit: 'note.updated' } }, async (request, reply) => {
    const { fail, data, details } = request.body as {
      fail?: boolean
      data?: unknown
      details?: { [key: string]: unknown }
    }
    const { status, body } = await request.transaction(async () => {
      if (fail) throw Object.assign(new Error('refused'), { statusCode: 409 })
      return { status: 200, body: { data }, ...(details && { details }) }
    })
    return reply.code(status).send(body)
  })
  app.patch('/notes/:note_id', { config: { audit: 'note.updated' } }, async (request) => {
    const { body } = await request.transaction(async () => ({ status: 200, body: {} }))
    return body
  })
  app.post('/fail', async (request) => {
    const { account } = request.body as { account: { identifier: string } | { id: string } }
    await app.audit.recordFailure(app.db, { action: 'sign_in.failed', account, request })
    return 'counted'
  })
  const fail = (account: object, remoteAddress = '192.0.2.1') =>
    app.inject({ method: 'POST', url: '/fail', payload: { account }, remoteAddress, headers: { 'user-agent': 'x/1' } })

  /** Empties the table, which the guard refuses. */
  async function clear() {
    await sql`drop trigger audit_events_guard_truncate on audit_events`.execute(app.db)
    await sql`truncate audit_events restart identity`.execute(app.db)
    await sql`create trigger audit_events_guard_truncate before truncate on audit_events
      for each statement execute function guard_audit_events()`.execute(app.db)
  }
  /** Lets events grow old, which the guard has to be away for. */
  const age = async (seconds: number) => {
    await sql`alter table audit_events disable trigger user`.execute(app.db)
    await sql`update audit_events set created_at = created_at - make_interval(secs => ${seconds})`.execute(app.db)
    await sql`alter table audit_events enable trigger user`.execute(app.db)
  }
  const events = () =>
    (app.db as Kysely<{ audit_events: AuditEventsTable }>)
      .selectFrom('audit_events')
      .selectAll()
      .orderBy('id')
      .execute()

  return { app, fail, events, clear, age }
}
