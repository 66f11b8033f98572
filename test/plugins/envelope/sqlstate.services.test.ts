import Fastify from 'fastify'
import pg from 'pg'
import t from 'tap'
import envelope, { serverOptions } from '../../../plugins/envelope/index.ts'

const connectionString = process.env.DATABASE_URL ?? 'postgres://postgres@127.0.0.1:5432/postgres'

t.test('errors of the pg driver are answered as conflicts, refusals and outages', async (t) => {
  const client = new pg.Client({ connectionString })
  // The last case ends this connection.
  client.on('error', () => undefined)
  await client.connect()
  t.teardown(() => client.end().catch(() => undefined))
  await client.query(
    'create temp table people (id int primary key, email text); create unique index on people (lower(email))'
  )
  await client.query(`insert into people values (1, 'Ann@x.y')`)
  const app = Fastify(serverOptions())
  t.teardown(() => app.close())
  await app.register(envelope)
  app.get('/', async (request) => client.query(String(request.headers['x-sql'])))
  const answerTo = (sql: string) => app.inject({ url: '/', headers: { 'x-sql': sql } })

  const duplicate = await answerTo(`insert into people values (2, 'ANN@x.y')`)
  const invalid = await answerTo(`select 'nothing'::uuid`)
  const slow = await answerTo(`set statement_timeout = 20; select pg_sleep(5)`)
  await answerTo('set statement_timeout = 0')
  const gone = await answerTo('select pg_terminate_backend(pg_backend_pid())')

  t.match(duplicate.json(), { code: 409, error_code: 'DUPLICATE', errors: [{ field: 'email' }] })
  t.match(invalid.json(), { code: 422, error_code: 'VALIDATION_FAILED' })
  t.notMatch(duplicate.body + invalid.body, /ann@x|nothing/i)
  for (const answer of [slow, gone]) {
    t.match(answer.json(), { code: 503, error_code: 'UNAVAILABLE' })
    t.equal(answer.headers['retry-after'], '1')
  }
})
