import { Type } from '@sinclair/typebox'
import Fastify from 'fastify'
import t from 'tap'
import { Unauthorized } from '../../../plugins/envelope/errors.ts'
import envelope, { type Fault, serverOptions } from '../../../plugins/envelope/index.ts'

t.test('a route can tell whatever goes wrong on it in a shape and with a status of its own', async (t) => {
  const app = Fastify(serverOptions())
  t.teardown(() => app.close())
  await app.register(envelope)
  const fault = ({ status, message, headers = {} }: Fault): Fault => {
    return { status: 400, error_code: 'X', message, headers, body: { was: status, message } }
  }
  const body = Type.Object({ kind: Type.Optional(Type.String()) })
  app.post<{ Body: { kind?: string } }>(
    '/',
    { config: { fault }, schema: { body }, bodyLimit: 50 },
    async (request) => {
      if (request.body.kind === undefined) throw new Error('secret')
      throw Object.assign(new Unauthorized(request.body.kind), { headers: { 'Retry-After': 7 } })
    }
  )
  const post = (payload: string, contentType = 'application/json') => {
    const headers = { 'content-type': contentType, accept: 'application/problem+json' }
    return app.inject({ method: 'POST', url: '/', headers, payload })
  }

  for (const [answer, was, message] of [
    [await post('{"kind":"thrown"}'), 401, 'thrown'],
    [await post('{}'), 500, 'Internal server error'],
    [await post('{"kind":[]}'), 422, 'Validation failed'],
    [await post('{'), 400, 'The body is not valid JSON'],
    [await post(JSON.stringify({ kind: 'x'.repeat(50) })), 413, 'The body is too large'],
    [await post('kind=x', 'text/css'), 415, 'The content type is missing or not supported']
  ] as const) {
    t.equal(answer.statusCode, 400)
    t.same(answer.json(), { was, message })
    t.match(answer.headers, { 'content-type': /^application\/json/, 'cache-control': 'no-store' })
    t.equal(answer.headers['www-authenticate'], undefined)
    t.equal(answer.headers['retry-after'], was === 401 ? '7' : undefined)
  }
  t.equal((await app.inject('/')).json().status, 'error', 'another method is not this route')
})
