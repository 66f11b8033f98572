import { connect } from 'node:net'
import t from 'tap'
import { portOf, signUp, startApp } from '../support/app.ts'

const app = await startApp(t)
const port = await portOf(app)

/** Sends bytes as they are and reads until the server closes. */
async function raw(request: string): Promise<{ status: number; head: string; body: string }> {
  const socket = connect(port, '127.0.0.1')
  socket.write(request)
  let text = ''
  for await (const chunk of socket.setEncoding('utf8')) text += chunk
  const [head = '', body = ''] = text.split('\r\n\r\n')
  return { status: Number(head.split(' ')[1]), head, body }
}

const http = (line: string, headers: string[] = ['Host: x'], body = '') =>
  `${line} HTTP/1.1\r\n${[...headers, 'Connection: close'].join('\r\n')}\r\n\r\n${body}`

const json = (method: string, path: string, authorization: string, body: string) =>
  http(
    `${method} ${path}`,
    [
      'Host: x',
      `Authorization: ${authorization}`,
      'Content-Type: application/json',
      `Content-Length: ${Buffer.byteLength(body)}`
    ],
    body
  )

t.test('V17, V18: every refusal comes in the envelope, and as problem details when asked for', async (t) => {
  const { headers } = await signUp(app)
  const todo = (body: string) => json('POST', '/api/v1/todos', headers.authorization, body)
  const me = (body: string) => json('PATCH', '/api/v1/users/me', headers.authorization, body)

  const cases: Array<[title: string, status: number, request: string, headerOnAnswer?: RegExp]> = [
    ['unknown route', 404, http('GET /nowhere')],
    ['unknown route below the API', 404, http('GET /api/v1/nowhere')],
    ['wrong method', 405, http('PUT /api/v1/todos'), /^allow: (?=.*GET)(?=.*POST)/im],
    ['wrong method on a path with a parameter', 405, http('POST /api/v1/todos/1'), /^allow: .*PATCH/im],
    ['malformed JSON', 400, todo('{"title":')],
    ['trailing comma', 400, todo('{"title":"x",}')],
    ['empty body', 400, todo('')],
    ['wrong type', 422, todo('{"title":5}')],
    ['no object', 422, todo('[]')],
    ['null where it is not allowed', 422, todo('{"title":null}')],
    ['unknown field', 422, todo('{"title":"x","owner_id":1}')],
    ['text for a boolean', 422, todo('{"title":"x","completed":"true"}')],
    ['missing field', 422, todo('{}')],
    ['V02: NUL in a string', 400, todo('{"title":"a\\u0000b"}')],
    [
      'V02: NUL in the query',
      400,
      http('GET /api/v1/todos?page=%00', ['Host: x', `Authorization: ${headers.authorization}`])
    ],
    ['V03: lone surrogate', 400, todo('{"title":"\\ud800"}')],
    [
      'V04: huge integer',
      422,
      http('GET /api/v1/todos?page=9007199254740993', ['Host: x', `Authorization: ${headers.authorization}`])
    ],
    ['V11: __proto__', 400, todo('{"title":"x","__proto__":{"admin":true}}')],
    ['empty PATCH', 422, me('{}')],
    ['oversize body', 413, todo(`{"title":"${'x'.repeat(2_000_000)}"}`)],
    [
      'wrong content type',
      415,
      http('POST /api/v1/auth/login', ['Host: x', 'Content-Type: text/plain', 'Content-Length: 2'], '{}')
    ],
    ['no content type', 415, http('POST /api/v1/auth/login', ['Host: x', 'Content-Length: 2'], '{}')],
    ['oversize header', 431, http('GET /', ['Host: x', `X-Big: ${'x'.repeat(20_000)}`])],
    ['bad URL encoding', 400, http('GET /api/v1/todos/%zz')],
    ['missing Host', 400, http('GET /', [])],
    ['unknown method', 400, http('FROB /')],
    ['O12: TRACE', 405, http('TRACE /')],
    ['garbage', 400, 'garbage\r\n\r\n'],
    ['no credentials', 401, http('GET /api/v1/todos'), /^www-authenticate: Bearer realm="[^"]*"\r?$/im],
    [
      'a bad token',
      401,
      http('GET /api/v1/todos', ['Host: x', 'Authorization: Bearer x']),
      /^www-authenticate: Bearer .*error="invalid_token"/im
    ]
  ]
  for (const [title, status, request, header] of cases) {
    await t.test(title, async (t) => {
      const answer = await raw(request)
      t.equal(answer.status, status, answer.head)
      t.match(answer.head, /^content-type: application\/json; charset=utf-8\r?$/im)
      t.match(answer.head, /^x-content-type-options: nosniff/im)
      if (header) t.match(answer.head, header)
      const body = JSON.parse(answer.body)
      t.match(body, { status: 'error', code: status, error_code: /^[A-Z0-9_]+$/, message: String, request_id: String })
      t.match(answer.head, new RegExp(`^x-request-id: ${body.request_id}\\r?$`, 'im'))
      t.notMatch(answer.body, /xxxx|node_modules|select |\.ts/)

      const problem = await raw(request.replace('\r\nConnection', '\r\nAccept: application/problem+json\r\nConnection'))
      if (request.includes('Connection')) {
        t.equal(problem.status, status)
        t.match(problem.head, /^content-type: application\/problem\+json/im)
        t.match(JSON.parse(problem.body), { type: String, title: String, status, detail: String, instance: String })
      }
    })
  }
})

t.test('null stays null where it is allowed', async (t) => {
  const { headers } = await signUp(app)
  const payload = { title: 'x', description: null }
  const answer = await app.inject({ method: 'POST', url: '/api/v1/todos', headers, payload })
  t.equal(answer.json().data.description, null)
})
