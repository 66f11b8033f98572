import { once } from 'node:events'
import { connect } from 'node:net'
import Fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import envelope, { type EnvelopeServerOptions, serverOptions } from '../../../plugins/envelope/index.ts'
import { exchange, listen, type RawAnswer } from './server.ts'

async function startApp(options: EnvelopeServerOptions = {}): Promise<FastifyInstance> {
  const app = Fastify(serverOptions(options))
  await app.register(envelope)
  app.get('/', async () => ({ ok: true }))
  app.post('/', async (request) => ({ received: request.body }))
  return app
}

const host = 'Host: a\r\n'
const post = `POST / HTTP/1.1\r\n${host}Content-Type: application/json\r\n`

function isWholeRefusal(t: Test, answers: RawAnswer[], status: number): void {
  t.equal(answers.length, 1, JSON.stringify(answers))
  const [answer] = answers
  t.equal(answer?.status, status)
  t.equal(answer?.headers['content-type'], 'application/json; charset=utf-8')
  t.equal(answer?.headers.connection, 'close')
  t.equal(Number(answer?.headers['content-length']), Buffer.byteLength(answer?.body ?? ''))
  const request_id = answer?.headers['x-request-id'] ?? String
  t.match(JSON.parse(answer?.body ?? ''), {
    status: 'error',
    code: status,
    error_code: String,
    message: String,
    request_id
  })
}

const smuggling: [title: string, request: string][] = [
  ['Content-Length and Transfer-Encoding', `${post}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
  ['Transfer-Encoding and Content-Length', `${post}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n`],
  ['two equal Content-Length', `${post}Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}`],
  ['two different Content-Length', `${post}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} `],
  ['a list as Content-Length', `${post}Content-Length: 2, 2\r\n\r\n{}`],
  ['a signed Content-Length', `${post}Content-Length: +2\r\n\r\n{}`],
  ['a negative Content-Length', `${post}Content-Length: -2\r\n\r\n{}`],
  ['a hexadecimal Content-Length', `${post}Content-Length: 0x2\r\n\r\n{}`],
  ['a Content-Length beyond 64 bits', `${post}Content-Length: 99999999999999999999999\r\n\r\n{}`],
  ['two Transfer-Encoding', `${post}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n`],
  ['chunked twice', `${post}Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n`],
  ['chunked not last', `${post}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n`],
  ['identity before chunked', `${post}Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n`],
  ['gzip before chunked', `${post}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`],
  ['an unknown transfer coding', `${post}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`],
  ['a quoted transfer coding', `${post}Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n`],
  ['a vertical tab before the coding', `${post}Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n`],
  ['an empty Transfer-Encoding', `${post}Transfer-Encoding:\r\n\r\n0\r\n\r\n`],
  ['a space before the colon', `${post}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n`],
  [
    'gzip before chunked, for a bad URL',
    `POST /%zz HTTP/1.1\r\n${host}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`
  ],
  ['gzip before chunked, without Host', 'POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n'],
  ['chunks in HTTP/1.0', `POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
  ['bare LF', 'GET / HTTP/1.1\nHost: a\n\n'],
  ['bare LF after a header', 'GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n'],
  ['bare CR after a header', 'GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n'],
  ['obs-fold', `GET / HTTP/1.1\r\n${host}X: b\r\n c\r\n\r\n`],
  ['obs-fold by a tab', `GET / HTTP/1.1\r\n${host}X: b\r\n\tc\r\n\r\n`],
  ['a bare LF after a chunk size', `${post}Transfer-Encoding: chunked\r\n\r\n2\n{}\r\n0\r\n\r\n`],
  ['a bare LF after a chunk extension', `${post}Transfer-Encoding: chunked\r\n\r\n2;a\n{}\r\n0\r\n\r\n`],
  ['a prefixed chunk size', `${post}Transfer-Encoding: chunked\r\n\r\n0x2\r\n{}\r\n0\r\n\r\n`],
  ['a chunk size beyond 64 bits', `${post}Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{}\r\n0\r\n\r\n`],
  ['a chunk longer than announced', `${post}Transfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n`],
  ['a framing header as trailer', `${post}Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nContent-Length: 2\r\n\r\n`]
]

t.test('V16: a request framed in doubt is answered with 400 and its connection closed', async (t) => {
  const app = await startApp()
  let calls = 0
  app.get('/hidden', async () => ({ calls: ++calls }))
  const port = await listen(t, app)
  for (const [title, request] of smuggling) {
    await t.test(title, async (t) => {
      const hidden = `GET /hidden HTTP/1.1\r\n${host}\r\n`
      isWholeRefusal(t, await exchange(port, request + hidden), 400)
      t.equal(calls, 0, 'what looks like a request behind it is none')
    })
  }
})

const garbage: [title: string, request: string][] = [
  ['no HTTP at all', 'hello\r\n\r\n'],
  ['a TLS handshake', '\x16\x03\x01\x02\x00\x01\x00\x01'],
  ['an unknown method', `TRACK / HTTP/1.1\r\n${host}\r\n`],
  ['a method in lower case', `get / HTTP/1.1\r\n${host}\r\n`],
  ['a space in the URL', `GET /a b HTTP/1.1\r\n${host}\r\n`],
  ['NUL in the URL', `GET /\0 HTTP/1.1\r\n${host}\r\n`],
  ['NUL in a header', `GET / HTTP/1.1\r\n${host}X: a\0b\r\n\r\n`],
  ['a header without a colon', `GET / HTTP/1.1\r\n${host}X\r\n\r\n`],
  ['a header before the first', `GET / HTTP/1.1\r\n ${host}\r\n`],
  ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ['HTTP/3', `GET / HTTP/3.0\r\n${host}\r\n`]
]

t.test('V17, V18: what the parser refuses is answered in the envelope', async (t) => {
  const port = await listen(t, await startApp())
  for (const [title, request] of garbage) {
    await t.test(title, async (t) => isWholeRefusal(t, await exchange(port, request), 400))
  }
})

t.test('V10: headers or a URL over the limit are answered with 431, however much more is sent', async (t) => {
  const port = await listen(t, await startApp())
  const big = 'a'.repeat(2_000_000)

  isWholeRefusal(t, await exchange(port, `GET / HTTP/1.1\r\n${host}X: ${big}\r\n\r\n`), 431)
  isWholeRefusal(t, await exchange(port, `GET /${big} HTTP/1.1\r\n${host}\r\n`), 431)
})

t.test('V10: chunk extensions over the limit are answered with 413', async (t) => {
  const port = await listen(t, await startApp())
  const request = `${post}Transfer-Encoding: chunked\r\n\r\n2;${'a'.repeat(20_000)}\r\n{}\r\n0\r\n\r\n`

  isWholeRefusal(t, await exchange(port, request), 413)
})

t.test('a request whose headers or body do not arrive in time is answered with 408', async (t) => {
  const port = await listen(t, await startApp({ requestTimeoutMs: 100 }))

  isWholeRefusal(t, await exchange(port, `GET / HTTP/1.1\r\n${host}`), 408)
  isWholeRefusal(t, await exchange(port, `${post}Content-Length: 2\r\n\r\n{`), 408)
})

t.test('an answer that is still due goes out before the refusal of what follows it', async (t) => {
  const app = await startApp()
  const { promise: released, resolve: release } = Promise.withResolvers<void>()
  app.get('/slow', async () => {
    await released
    return { slow: true }
  })
  const port = await listen(t, app)
  app.server.once('clientError', () => release())

  const answers = await exchange(port, `GET /slow HTTP/1.1\r\n${host}\r\nGET / HTTP/1.1\r\n${host}\r\nnonsense\r\n\r\n`)

  t.same(
    answers.map(({ status }) => status),
    [200, 200, 400]
  )
  t.same(JSON.parse(answers[0]?.body ?? ''), { slow: true })
  t.equal(answers[2]?.headers.connection, 'close')
})

t.test('nothing is written after an answer whose request then breaks', async (t) => {
  const port = await listen(t, await startApp())
  const socket = connect(port, '127.0.0.1').setEncoding('utf8')
  let received = ''
  socket.on('data', (text) => (received += text))
  // A GET is answered without waiting for its body.
  socket.write(`GET / HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n`)
  await once(socket, 'data')

  socket.write('nonsense\r\n\r\n')
  await once(socket, 'close')

  t.match(received, /^HTTP\/1\.1 200 /)
  t.equal(received.match(/HTTP\/1\.1/g)?.length, 1)
})

t.test('a handler does not run for a body that came after the refusal', async (t) => {
  const app = await startApp({ requestTimeoutMs: 100 })
  let calls = 0
  app.post('/count', async () => ({ calls: ++calls }))
  const port = await listen(t, app)
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => socket.destroy())
  socket.write(`POST /count HTTP/1.1\r\n${host}Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{`)
  const [answer] = await once(socket, 'data')

  socket.write('}')
  await once(socket, 'close')

  t.match(String(answer), /^HTTP\/1\.1 408 /)
  t.equal(calls, 0)
})

t.test('a reset connection costs nothing but itself', async (t) => {
  const app = await startApp()
  const port = await listen(t, app)
  for (const text of ['', 'GET', `${post}Content-Length: 9\r\n\r\n{`]) {
    const socket = connect(port, '127.0.0.1')
    await once(socket, 'connect')
    socket.write(text, () => socket.resetAndDestroy())
    await once(socket, 'close')
  }

  t.equal((await exchange(port, `GET / HTTP/1.1\r\n${host}Connection: close\r\n\r\n`))[0]?.status, 200)
})

t.test('a refused client that is still sending is not reset, which could cost it the answer', async (t) => {
  const port = await listen(t, await startApp())
  const client = connect({ port, host: '127.0.0.1', allowHalfOpen: true }).resume()
  client.write('nonsense\r\n\r\n')
  await once(client, 'end')

  for (let i = 0; i < 3; i++)
    await new Promise<void>((resolve) => client.write('more\r\n', () => setImmediate(resolve)))
  client.end()
  const [hadError] = await once(client, 'close')

  t.equal(hadError, false)
})

t.test('a refused client that keeps its end open is cut off', async (t) => {
  const app = await startApp()
  const port = await listen(t, app)
  const accepted = once(app.server, 'connection')
  const client = connect({ port, host: '127.0.0.1', allowHalfOpen: true }).resume()
  client.on('error', () => client.destroy())
  t.teardown(() => client.destroy())
  client.write('nonsense\r\n\r\n')
  const [connection] = await accepted

  await once(connection, 'close', { signal: AbortSignal.timeout(4_000) })

  t.equal(connection.destroyed, true)
})

t.test('O12: CONNECT is answered with 501, TRACE with 405, an unmet expectation with 417', async (t) => {
  const port = await listen(t, await startApp())

  isWholeRefusal(t, await exchange(port, `CONNECT a:80 HTTP/1.1\r\n${host}\r\n`), 501)
  isWholeRefusal(t, await exchange(port, `TRACE / HTTP/1.1\r\n${host}Connection: close\r\n\r\n`), 405)
  isWholeRefusal(t, await exchange(port, `GET / HTTP/1.1\r\n${host}Expect: 200-ok\r\nConnection: close\r\n\r\n`), 417)
})

t.test('headers given for such answers are sent with them, and the log names the reason but no bytes', async (t) => {
  const lines: string[] = []
  const app = Fastify({
    ...serverOptions({ headers: { 'X-Content-Type-Options': 'nosniff' } }),
    logger: { stream: { write: (line: string) => void lines.push(line) } }
  })
  await app.register(envelope)
  const port = await listen(t, app)

  const [answer] = await exchange(port, `GET / HTTP/1.1\r\nAuthorization: secret\r\nnonsense\r\n\r\n`)

  t.equal(answer?.headers['x-content-type-options'], 'nosniff')
  const line = lines.map((text) => JSON.parse(text)).find(({ reason }) => reason !== undefined)
  t.match(line, { reason: 'HPE_INVALID_HEADER_TOKEN', status: 400, request_id: answer?.headers['x-request-id'] })
  t.notMatch(lines.join(''), /secret|rawPacket/)
})
