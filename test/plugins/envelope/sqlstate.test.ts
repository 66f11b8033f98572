import { PGlite } from '@electric-sql/pglite'
import Fastify from 'fastify'
import t, { type Test } from 'tap'
import envelope, { serverOptions } from '../../../plugins/envelope/index.ts'
import { emptyFolder } from '../../support/database.ts'

/** The answer of a route that fails with `error`, and what it logged at level `warn` and above. */
async function answerTo(t: Test, error: unknown) {
  const levels: number[] = []
  const stream = { write: (line: string) => void levels.push(JSON.parse(line).level) }
  const app = Fastify({ ...serverOptions(), logger: { stream } })
  t.teardown(() => app.close())
  await app.register(envelope)
  app.get('/', async () => {
    throw error
  })
  const answer = await app.inject('/')
  return { answer, levels: levels.filter((level) => level >= 40) }
}

const databaseError = (code: string, members: object = {}) =>
  Object.assign(new Error('canceling statement at secret_table'), { severity: 'ERROR', code, ...members })

t.test('each SQLSTATE that is not our fault has its status, and tells nothing of the statement', async (t) => {
  const cases: [code: string, status: number, error_code: string][] = [
    ['23505', 409, 'DUPLICATE'],
    ['23503', 409, 'CONFLICT'],
    ['23001', 409, 'CONFLICT'],
    ['23P01', 409, 'CONFLICT'],
    ['23502', 422, 'VALIDATION_FAILED'],
    ['23514', 422, 'VALIDATION_FAILED'],
    ['22001', 422, 'VALIDATION_FAILED'],
    ['22003', 422, 'VALIDATION_FAILED'],
    ['22021', 422, 'VALIDATION_FAILED'],
    ['22P02', 422, 'VALIDATION_FAILED'],
    ['40001', 409, 'CONFLICT_RETRY'],
    ['40P01', 409, 'CONFLICT_RETRY'],
    ['55P03', 503, 'UNAVAILABLE'],
    ['57014', 503, 'UNAVAILABLE'],
    ['53300', 503, 'UNAVAILABLE'],
    ['57P01', 503, 'UNAVAILABLE'],
    ['57P03', 503, 'UNAVAILABLE'],
    ['08006', 503, 'UNAVAILABLE'],
    ['25006', 503, 'UNAVAILABLE'],
    ['42P01', 500, 'INTERNAL_SERVER_ERROR'],
    ['42501', 500, 'INTERNAL_SERVER_ERROR'],
    ['25P02', 500, 'INTERNAL_SERVER_ERROR'],
    ['XX000', 500, 'INTERNAL_SERVER_ERROR'],
    ['EPIPE', 500, 'INTERNAL_SERVER_ERROR']
  ]
  for (const [code, status, error_code] of cases) {
    const { answer, levels } = await answerTo(t, databaseError(code))
    t.equal(answer.statusCode, status, code)
    t.match(answer.json(), { code: status, error_code })
    t.notMatch(answer.body, /secret|statement|severity/)
    t.equal(answer.headers['retry-after'], status === 503 || error_code === 'CONFLICT_RETRY' ? '1' : undefined)
    t.same(levels, status === 500 ? [50] : status === 503 ? [40] : [])
  }
})

t.test('a duplicate names its columns, in any language of the server, and never a value', async (t) => {
  const cases: [detail: unknown, fields: string[]][] = [
    ['Key (email)=(a@b.c) already exists.', ['email']],
    ['Schlüssel »(email)=(a@b.c)« existiert bereits.', ['email']],
    ['Key (lower(email::text))=(a@b.c) already exists.', ['email']],
    ['Key (lower((email)::text))=(a@b.c) already exists.', ['email']],
    ['Key (org_id, lower(name))=(1, x)=(y) already exists.', ['org_id', 'name']],
    [undefined, []],
    ['x'.repeat(100_000), []]
  ]
  for (const [detail, fields] of cases) {
    const { answer } = await answerTo(t, databaseError('23505', { detail }))
    const body = answer.json()
    t.same(body.errors?.map(({ field }: { field: string }) => field) ?? [], fields, String(detail).slice(0, 50))
    t.match(body.message, fields.length === 0 ? /^Such a record/ : `A record with this ${fields.join(' and ')} already`)
    t.notMatch(answer.body, /a@b\.c/)
  }
})

t.test('the errors of a real PostgreSQL are understood', async (t) => {
  const db = await PGlite.create(await emptyFolder(t))
  t.teardown(() => db.close())
  await db.exec(`
    create table users (id int primary key, email varchar(20) not null, age int check (age > 0));
    create unique index on users (lower(email));
    create table posts (user_id int references users);
    insert into users values (1, 'Ann@x.y', 5);
    insert into posts values (1)`)
  const cases: [sql: string, status: number, fields: string[]][] = [
    [`insert into users values (1, 'b', 5)`, 409, ['id']],
    [`insert into users values (2, 'ANN@X.Y', 5)`, 409, ['email']],
    [`insert into users values (2, null, 5)`, 422, ['email']],
    [`insert into users values (2, 'b', -5)`, 422, []],
    [`insert into users values (2, '${'b'.repeat(21)}', 5)`, 422, []],
    [`insert into users values (3000000000, 'b', 5)`, 422, []],
    [`insert into users values ('x', 'b', 5)`, 422, []],
    [`insert into posts values (9)`, 409, []],
    [`delete from users`, 409, []],
    [`select * from nowhere`, 500, []]
  ]
  for (const [sql, status, fields] of cases) {
    const error = await db.query(sql).catch((reason: unknown) => reason)
    const { answer } = await answerTo(t, error)
    t.equal(answer.statusCode, status, sql)
    t.same(answer.json().errors?.map(({ field }: { field: string }) => field) ?? [], fields)
    t.notMatch(answer.body, /ann@x|bbbb|users|posts|nowhere/i)
  }
})
