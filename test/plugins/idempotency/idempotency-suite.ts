import Fastify, { type FastifyInstance } from 'fastify'
import { sql } from 'kysely'
import type { Test } from 'tap'
import { databasePlugin, type OpenDatabase } from '../../../plugins/database/index.ts'
import { idempotencyMigration, idempotencyPlugin } from '../../../plugins/idempotency/index.ts'

/** What the plugin promises on both databases. */
export async function idempotencySuite(t: Test, database: OpenDatabase): Promise<void> {
  await idempotencyMigration.up(database.db)
  await sql`create table notes (id int generated always as identity, text text not null)`.execute(database.db)
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(databasePlugin, { database, strict: true })
  await app.register(idempotencyPlugin, {
    caller: ({ headers }) => (typeof headers['x-user'] === 'string' ? headers['x-user'] : undefined)
  })
  const gate = addRoutes(app)

  let user = 0
  const newUser = () => ({ 'x-user': `user-${user++}` })
  const post = (headers: Record<string, string>, key?: string, text: unknown = 'tea', url = '/notes') =>
    app.inject({
      method: 'POST',
      url,
      headers: { ...headers, ...(key && { 'idempotency-key': key }) },
      payload: { text }
    })
  const countNotes = async () => {
    const { rows } = await sql<{ count: number }>`select count(*)::int as count from notes`.execute(database.db)
    return rows[0]?.count ?? 0
  }

  t.test('I03: a repeated request gets the same status, body and Location, and has no second effect', async (t) => {
    const headers = newUser()
    const first = await post(headers, '"k"')
    const before = await countNotes()
    const again = await post(headers, '"k"')
    t.equal(first.statusCode, 201)
    t.equal(first.headers['idempotency-replayed'], undefined)
    t.equal(again.statusCode, 201)
    t.equal(again.headers['idempotency-replayed'], 'true')
    t.equal(again.body, first.body)
    t.equal(again.headers.location, first.headers.location)
    t.equal(await countNotes(), before)
    t.equal((await post(headers, 'k')).body, first.body, 'without quotes it is the same key')
    t.not((await post(headers)).body, first.body, 'without a key everything is new')
  })

  t.test('I02: another body is refused; another caller and another route have keys of their own', async (t) => {
    const headers = newUser()
    const first = await post(headers, 'k', { a: 1, b: [2] })
    const other = await post(headers, 'k', { a: 1, b: [3] })
    t.equal(other.statusCode, 422)
    t.equal(other.json().code, 'IDEMPOTENCY_KEY_REUSED')
    t.equal((await post(headers, 'k', { b: [2], a: 1 })).body, first.body, 'the order of fields does not matter')
    const theirs = await post(newUser(), 'k', 'theirs')
    t.equal(theirs.statusCode, 201)
    t.equal(theirs.headers['idempotency-replayed'], undefined)
    const elsewhere = await post(headers, 'k', { a: 1, b: [2] }, '/required')
    t.equal(elsewhere.statusCode, 201)
    t.equal(elsewhere.headers['idempotency-replayed'], undefined)
    t.equal((await post(headers, 'k', 'x', '/lists/1')).statusCode, 201)
    t.equal((await post(headers, 'k', 'x', '/lists/2')).statusCode, 422, 'parameters are part of the request')
    t.equal((await post(headers, 'q', 'x', '/notes?to=1')).statusCode, 201)
    t.equal((await post(headers, 'q', 'x', '/notes?to=2')).statusCode, 422, 'and so is the query')
  })

  t.test('I05: what is no key is refused before anything happens', async (t) => {
    const headers = newUser()
    const before = await countNotes()
    const bad = [
      '""',
      '"',
      'a b',
      'a, b',
      '"a", "b"',
      '"a";v=1',
      '"a\\b"',
      'ä',
      `"${'x'.repeat(256)}"`,
      'x'.repeat(256)
    ]
    for (const key of bad) {
      const answer = await post(headers, Buffer.from(key).toString('latin1'))
      t.equal(answer.statusCode, 400, key)
      t.equal(answer.json().code, 'IDEMPOTENCY_KEY_MALFORMED')
    }
    t.equal((await post(headers, undefined, 'x', '/required')).json().code, 'IDEMPOTENCY_KEY_REQUIRED')
    t.equal((await post({}, 'k')).statusCode, 401, 'keys are for callers')
    t.equal(await countNotes(), before)
    t.equal((await post(headers, `"${'x'.repeat(253)}\\"\\\\"`)).statusCode, 201)
  })

  t.test('I05: a 4xx or 5xx leaves nothing behind, and the key free', async (t) => {
    const headers = newUser()
    for (const status of [404, 503]) {
      const before = await countNotes()
      gate.fail = status
      t.equal((await post(headers, `fails-${status}`)).statusCode, status)
      t.equal(await countNotes(), before)
      gate.fail = 0
      const retry = await post(headers, `fails-${status}`)
      t.equal(retry.statusCode, 201)
      t.equal(retry.headers['idempotency-replayed'], undefined)
    }
  })

  t.test('I05: a refusal that a handler returns is not kept either', async (t) => {
    const headers = newUser()
    gate.status = 409
    t.equal((await post(headers, 'k')).statusCode, 409)
    gate.status = 201
    const retry = await post(headers, 'k')
    t.equal(retry.statusCode, 201)
    t.equal(retry.headers['idempotency-replayed'], undefined)
  })

  t.test('I02: the key of a request that runs is in the way of nobody else, and of no other route', async (t) => {
    const headers = newUser()
    const [entered, release] = gate.holdNext()
    const first = post(headers, 'k')
    await entered
    const others = Promise.all([post(newUser(), 'k'), post(headers, 'k', 'tea', '/required')])
    // The embedded database runs one transaction after another.
    if (database.kind === 'postgres') await others
    release()
    for (const { statusCode } of [await first, ...(await others)]) t.equal(statusCode, 201)
  })

  t.test('I01: while the first request runs, another one has no effect', async (t) => {
    const headers = newUser()
    const before = await countNotes()
    const [entered, release] = gate.holdNext()
    const first = post(headers, 'k')
    await entered
    const second = post(headers, 'k')
    if (database.kind === 'postgres') {
      const refused = await second
      t.equal(refused.statusCode, 409)
      t.equal(refused.json().code, 'IDEMPOTENCY_KEY_IN_USE')
      t.equal(refused.headers['retry-after'], '1')
    }
    release()
    t.equal((await first).statusCode, 201)
    const later = database.kind === 'postgres' ? await post(headers, 'k') : await second
    t.equal(later.statusCode, 201)
    t.equal(later.headers['idempotency-replayed'], 'true')
    t.equal(await countNotes(), before + 1)
  })

  t.test('I05: after its time a key is free again, cleaned up or not', async (t) => {
    const headers = newUser()
    const first = await post(headers, 'k')
    await post(headers, 'other')
    const age = sql`update idempotency_keys set created_at = now() - interval '25 hours' where caller = ${headers['x-user']}`
    await age.execute(database.db)
    const anew = await post(headers, 'k', 'something else')
    t.equal(anew.statusCode, 201)
    t.not(anew.body, first.body)
    t.equal((await post(headers, 'k', 'something else')).body, anew.body)
    t.equal(await app.idempotency.prune(app.db), 1, 'the one that was not used again')
    t.equal(await app.idempotency.prune(app.db), 0)
  })
}

/** Routes that write notes; the gate lets a test hold them up or fail them. */
function addRoutes(app: FastifyInstance) {
  const gate = {
    fail: 0,
    status: 201,
    wait: () => Promise.resolve(),
    /** Holds up the next write, and no later one: when it has come, and what lets it go on. */
    holdNext(): [entered: Promise<void>, release: () => void] {
      const [entered, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
      gate.wait = () => {
        gate.wait = () => Promise.resolve()
        entered.resolve()
        return released.promise
      }
      return [entered.promise, released.resolve]
    }
  }
  const routes = { '/notes': true, '/required': 'required', '/lists/:list': true } as const
  for (const [url, idempotent] of Object.entries(routes)) {
    app.post<{ Body: { text: unknown } }>(url, { config: { idempotent } }, async (request, reply) => {
      const { status, body, location } = await request.transaction(async (trx) => {
        const { rows } = await sql<{ id: number }>`
          insert into notes (text) values (${JSON.stringify(request.body.text)}) returning id`.execute(trx)
        await gate.wait()
        if (gate.fail > 0) throw Object.assign(new Error('failed on purpose'), { statusCode: gate.fail })
        return { status: gate.status, body: { id: rows[0]?.id }, location: `/notes/${rows[0]?.id}` }
      })
      return reply.code(status).header('location', location).send(body)
    })
  }
  return gate
}
