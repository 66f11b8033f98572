import { Type } from '@sinclair/typebox'
import Fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import * as constants from '../../../plugins/envelope/errors.ts'
import envelope, { serverOptions } from '../../../plugins/envelope/index.ts'

interface Logged {
  level: number
  err?: { message: string; stack: string }
}

/** An app whose `GET /` throws, or rejects with, `thrown`. */
async function throwing(t: Test, thrown: unknown, logs: Logged[] = []): Promise<FastifyInstance> {
  const stream = { write: (line: string) => void logs.push(JSON.parse(line)) }
  const app = Fastify({ ...serverOptions(), logger: { stream } })
  t.teardown(() => app.close())
  await app.register(envelope)
  app.get('/', async () => {
    throw thrown
  })
  return app
}

t.test('an error constant is answered with its status, code and message', async (t) => {
  const { BadRequest, Unauthorized, Forbidden, NotFound, Conflict, Unprocessable, TooManyRequests, Unavailable } =
    constants
  const cases: [Error, number, string][] = [
    [new BadRequest('Both given'), 400, 'BAD_REQUEST'],
    [new Unauthorized('Sign in first'), 401, 'UNAUTHORIZED'],
    [new Forbidden('Not yours'), 403, 'FORBIDDEN'],
    [new NotFound('Todo not found'), 404, 'NOT_FOUND'],
    [new Conflict('Taken'), 409, 'CONFLICT'],
    [new Unprocessable('No such day'), 422, 'UNPROCESSABLE'],
    [new TooManyRequests('Try again in 3 seconds'), 429, 'TOO_MANY_REQUESTS'],
    [new Unavailable('The queue is full'), 503, 'UNAVAILABLE'],
    [new (constants.createError('CARD_DECLINED', 'Card %s declined', 402))('ending in 42'), 402, 'CARD_DECLINED']
  ]
  for (const [error, status, error_code] of cases) {
    const app = await throwing(t, error)
    const answer = await app.inject('/')
    t.equal(answer.statusCode, status)
    t.equal(answer.headers['content-type'], 'application/json; charset=utf-8')
    t.equal(answer.headers['cache-control'], 'no-store')
    t.equal(answer.headers.vary, 'Accept')
    t.same(answer.json(), { status: 'error', code: status, error_code, message: error.message, request_id: 'req-1' })
  }
})

t.test('fields, solution, details and headers of an error reach the caller', async (t) => {
  const error = Object.assign(new constants.Forbidden('Not permitted'), {
    errors: [{ field: 'role', message: 'is not yours to give' }],
    solution: 'Ask an administrator',
    details: { missing: ['update:role:all'], code: 1, status: 'success' },
    headers: { 'Retry-After': 7, 'WWW-Authenticate': 'Bearer' }
  })
  const app = await throwing(t, error)

  const answer = await app.inject('/')

  t.same(answer.json(), {
    status: 'error',
    code: 403,
    error_code: 'FORBIDDEN',
    message: 'Not permitted',
    errors: error.errors,
    solution: 'Ask an administrator',
    missing: ['update:role:all'],
    request_id: 'req-1'
  })
  t.match(answer.headers, { 'retry-after': '7', 'www-authenticate': 'Bearer' })
})

t.test('invalid() tells a broken rule as the schema would', async (t) => {
  const app = await throwing(t, constants.invalid('username', 'must not be reserved'))

  t.match((await app.inject('/')).json(), {
    code: 422,
    error_code: 'VALIDATION_FAILED',
    message: 'Validation failed',
    errors: [{ field: 'username', message: 'must not be reserved' }]
  })
})

t.test(
  'O14: what nobody meant for a caller is a 500 that tells nothing, and a line in the log that tells all',
  async (t) => {
    const secret = 'select * from users where password = $1 at /srv/app/db.ts'
    const InternalConstant = constants.createError('POOL_BROKEN', 'Pool broken: %s', 500)
    const upstream = Object.assign(new Error(secret), { statusCode: 502 })
    for (const thrown of [new TypeError(secret), new InternalConstant(secret), upstream, secret, { message: secret }]) {
      const logs: Logged[] = []
      const app = await throwing(t, thrown, logs)
      const answer = await app.inject('/')
      t.equal(answer.statusCode, 500)
      t.same(answer.json(), {
        status: 'error',
        code: 500,
        error_code: 'INTERNAL_SERVER_ERROR',
        message: 'Internal server error',
        request_id: 'req-1'
      })
      t.notMatch(JSON.stringify(answer.headers), /select|POOL/)
      const [line, ...others] = logs.filter(({ level }) => level >= 50)
      t.match(JSON.stringify(line?.err), /select \* from users/)
      t.equal(others.length, 0)
    }
  }
)

t.test('nothing thrown at all is a 500 too', async (t) => {
  for (const thrown of [undefined, null, 0, '']) {
    const app = await throwing(t, thrown)
    const answer = await app.inject('/')
    t.equal(answer.statusCode, 500)
    t.match(answer.json(), { error_code: 'INTERNAL_SERVER_ERROR', request_id: 'req-1' })
  }
})

t.test("another library's error keeps its status and loses its words, unless it exposes them", async (t) => {
  const foreign = Object.assign(new Error('GET https://internal/?key=s3cret'), { statusCode: 404, headers: { a: 'b' } })
  const silent = await (await throwing(t, foreign)).inject('/')
  t.same(silent.json(), {
    status: 'error',
    code: 404,
    error_code: 'NOT_FOUND',
    message: 'Not found',
    request_id: 'req-1'
  })
  t.notOk(silent.headers.a)

  const exposed = Object.assign(new Error('No such file'), { statusCode: 404, expose: true })
  t.equal((await (await throwing(t, exposed)).inject('/')).json().message, 'No such file')
})

t.test('a 503 always says when to come back, and is logged as a warning', async (t) => {
  const logs: Logged[] = []
  const app = await throwing(t, new constants.Unavailable('Too busy'), logs)
  t.equal((await app.inject('/')).headers['retry-after'], '1')
  t.same(
    logs.filter(({ err }) => err).map(({ level }) => level),
    [40]
  )

  const later = Object.assign(new constants.Unavailable('Too busy'), { headers: { 'Retry-After': '9' } })
  t.equal((await (await throwing(t, later)).inject('/')).headers['retry-after'], '9')
})

t.test('an answer that does not fit its schema is a 500 without a word of it', async (t) => {
  const app = Fastify(serverOptions())
  t.teardown(() => app.close())
  await app.register(envelope)
  const schema = { response: { 201: Type.Object({ secret: Type.String(), id: Type.String() }) } }
  app.get('/', { schema }, async (_request, reply) => reply.code(201).send({ secret: 's3cret' }))

  const answer = await app.inject('/')

  t.equal(answer.statusCode, 500)
  t.match(answer.json(), { code: 500, message: 'Internal server error' })
  t.notMatch(answer.body, /s3cret|required/)
})

t.test('V18: problem details are sent to who prefers them, and to nobody else', async (t) => {
  const error = Object.assign(new constants.Conflict('Taken'), {
    errors: [{ field: 'email', message: 'is already taken' }],
    details: { title: 'x', hint: 'y' }
  })
  const app = await throwing(t, error)
  const get = (accept?: string) => app.inject({ url: '/', headers: accept === undefined ? {} : { accept } })

  const answer = await get('application/problem+json')
  t.match(answer.headers['content-type'], /^application\/problem\+json(;|$)/)
  t.equal(answer.headers.vary, 'Accept')
  t.same(answer.json(), {
    type: 'about:blank',
    title: 'Conflict',
    status: 409,
    detail: 'Taken',
    instance: 'urn:request:req-1',
    error_code: 'CONFLICT',
    errors: error.errors,
    hint: 'y',
    request_id: 'req-1'
  })

  const preferring = ['application/problem+json, */*', 'application/json;q=0.5, APPLICATION/PROBLEM+JSON']
  for (const accept of preferring) t.match((await get(accept)).headers['content-type'], /problem/, accept)

  const others = [
    '*/*',
    'application/json',
    'application/*',
    'text/html',
    '',
    ',,;q=,/',
    'application/problem+json;q=0, */*',
    'application/problem+json;q=0.1, application/json',
    'application/problem+json;q="',
    'problem+json',
    `${'a/b,'.repeat(3_000)}application/problem+jso`
  ]
  for (const accept of [undefined, ...others]) {
    const plain = await get(accept)
    t.equal(plain.statusCode, 409)
    t.equal(plain.headers['content-type'], 'application/json; charset=utf-8', `accept: ${accept}`)
  }
})

t.test('Vary is added to, not replaced', async (t) => {
  for (const [before, after] of [
    ['Origin', 'Origin, Accept'],
    ['Accept-Encoding', 'Accept-Encoding, Accept'],
    ['Origin, accept', 'Origin, accept'],
    ['*', '*']
  ]) {
    const app = await throwing(t, new constants.NotFound('No'))
    app.addHook('onRequest', async (_request, reply) => void reply.header('vary', before))
    t.equal((await app.inject('/')).headers.vary, after)
  }
})

t.test('without serverOptions() it says so once, with them it does not', async (t) => {
  for (const [options, count] of [
    [{}, 1],
    [serverOptions(), 0]
  ] as const) {
    const warnings: string[] = []
    const stream = { write: (line: string) => void (JSON.parse(line).level === 40 && warnings.push(line)) }
    const app = Fastify({ ...options, logger: { stream } })
    t.teardown(() => app.close())
    await app.register(envelope)
    await app.ready()
    t.equal(warnings.filter((line) => line.includes('serverOptions()')).length, count)
  }
})
