import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { sql } from 'kysely'
import type { Test } from 'tap'

/** Events of `request.write`. `read` gives all events, which are none at the beginning of a test. */
export function writtenSuite(t: Test, app: FastifyInstance, read: () => Promise<object[]>): void {
  const write = async (request: FastifyRequest, reply: FastifyReply) => {
    const { id, was = '' } = request.body as { id: string; was?: string }
    const statement =
      request.method === 'POST'
        ? sql<{ id: string }>`insert into words values (${id}) returning id`
        : sql<{ id: string }>`update words set id = ${id} where id = ${was} returning id`
    const result = await request.write(
      async (trx) => (await statement.execute(trx)).rows[0],
      (row) => ({ status: 200, body: row })
    )
    return reply.code(result?.status ?? 404).send(result?.body)
  }
  app.post('/words', { config: { audit: 'word.created' } }, write)
  app.patch('/words', { config: { audit: 'word.updated' } }, write)

  t.test('a write of one statement has its event in it: both are there, or neither', async (t) => {
    await sql`create table words (id text primary key)`.execute(app.db)
    const send = (method: 'POST' | 'PATCH', payload: object) =>
      app.inject({ method, url: '/words', payload, headers: { 'user-agent': 'curl/8' } })
    t.equal((await send('POST', { id: 'tea' })).body, '{"id":"tea"}')
    t.equal((await send('PATCH', { was: 'tea', id: 'milk' })).body, '{"id":"milk"}')
    t.equal((await send('PATCH', { was: 'tea', id: 'soy' })).statusCode, 404)
    t.equal((await send('POST', { id: 'milk' })).statusCode, 500, 'there is one already')
    const [created, updated, ...others] = await read()
    const origin = { ip: '127.0.0.1', user_agent: 'curl/8', request_id: 'req-1', actor_id: null }
    t.match(created, { action: 'word.created', target_type: 'word', target_id: 'tea', details: null, ...origin })
    t.match(updated, { action: 'word.updated', target_id: 'milk', details: { fields: ['was', 'id'] }, ...origin })
    t.same(others, [])

    await sql`alter table audit_events add constraint no_rum check (target_id <> 'rum')`.execute(app.db)
    t.equal((await send('POST', { id: 'rum' })).statusCode, 500)
    await sql`alter table audit_events drop constraint no_rum`.execute(app.db)
    t.equal((await read()).length, 2)
    t.same((await sql`select id from words`.execute(app.db)).rows, [{ id: 'milk' }], 'no record, no change')
  })
}
