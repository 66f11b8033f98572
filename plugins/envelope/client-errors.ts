import { randomUUID } from 'node:crypto'
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { ConnectionError, FastifyInstance } from 'fastify'
import { type Fault, statusFault } from './fault.ts'
import { endLingering } from './linger.ts'
import { errorBody, jsonType, problemBody, problemType } from './render.ts'

/**
 * What Node keeps on a connection, and its own handler of these errors looks at: the response whose turn it is, and the
 * request that is being parsed. There is no public way to them.
 */
interface HttpSocket extends Socket {
  _httpMessage?: ServerResponse | null
  parser?: { incoming?: IncomingMessage | null } | null
}

/** Fastify's `clientErrorHandler`: answers what never became a request, once per connection, and closes it. */
export function clientErrorHandler(headers: Record<string, string>) {
  const refused = new WeakSet<Socket>()

  return function answerClientError(this: FastifyInstance, error: ConnectionError, socket: Socket): void {
    // A broken parser reports again for every further chunk.
    if (refused.has(socket)) return
    refused.add(socket)
    const fault = faultOf(error.code)
    if (fault === undefined) {
      socket.destroy()
      return
    }
    const id = randomUUID()
    // Not the error itself: it holds the raw bytes, credentials among them.
    this.log.info({ request_id: id, status: fault.status, reason: error.code }, 'request refused by the parser')
    answerInTurn(socket, rawAnswer(fault, id, headers, asksForProblem(error)))
  }
}

function faultOf(code: string | undefined): Fault | undefined {
  switch (code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return { ...statusFault(408), message: 'The request was not sent in time' }
    case 'HPE_HEADER_OVERFLOW':
      return { ...statusFault(431), message: 'The URL and headers are too large' }
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return { ...statusFault(413), message: 'The chunk extensions are too large' }
  }
  // The rest are broken connections (a reset, a failed TLS handshake), which nobody listens on any more.
  if (code?.startsWith('HPE_')) return { ...statusFault(400), message: 'The request is not valid HTTP' }
  return undefined
}

/** Answers to earlier requests on the connection go first: out of turn, ours would be taken for one of them. */
function answerInTurn(socket: HttpSocket, answer: string): void {
  if (!socket.writable) {
    socket.destroy()
    return
  }
  const current = socket._httpMessage ?? undefined
  const incoming = socket.parser?.incoming ?? undefined
  const broken = incoming?.complete === false ? incoming : undefined
  if (current !== undefined && current.req !== broken) {
    current.once('close', () => answerInTurn(socket, answer))
  } else if (broken === undefined) {
    endLingering(socket, answer)
  } else if (current === undefined || current.headersSent) {
    // Its answer went out before its body broke.
    socket.destroy()
  } else {
    // Its handler waits for the body, which may not arrive any more: the caller was told that it failed.
    socket.pause()
    socket.write(answer)
    socket.destroySoon()
  }
}

/** The parser gave up, so the bytes are all there is: those of the last packet, in which `Accept` may stand. */
function asksForProblem({ rawPacket }: ConnectionError): boolean {
  // Node gives a Buffer; Fastify's type describes what JSON makes of one.
  const bytes: unknown = rawPacket
  return Buffer.isBuffer(bytes) && /^accept:[^\r\n]*application\/problem\+json/im.test(bytes.toString('latin1'))
}

/** A whole response, for connections on which Fastify has no say. */
function rawAnswer(fault: Fault, requestId: string, headers: Record<string, string>, asProblem: boolean): string {
  const body = asProblem ? problemBody(fault, requestId) : errorBody(fault, requestId)
  const fields = {
    date: new Date().toUTCString(),
    ...headers,
    'x-request-id': requestId,
    'content-type': asProblem ? problemType : jsonType,
    'content-length': String(Buffer.byteLength(body)),
    'cache-control': 'no-store',
    connection: 'close'
  }
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`)
  return `HTTP/1.1 ${fault.status} ${STATUS_CODES[fault.status]}\r\n${lines.join('')}\r\n${body}`
}

/** CONNECT asks for a tunnel, which nothing here opens (RFC 9110 §9.3.6). */
export function refuseTunnel({ headers }: IncomingMessage, socket: Duplex): void {
  socket.on('error', () => socket.destroy())
  const asProblem = headers.accept?.includes(problemType) === true
  const answer = rawAnswer({ ...statusFault(501), message: 'CONNECT is not supported' }, randomUUID(), {}, asProblem)
  if (socket instanceof Socket) answerInTurn(socket, answer)
  else socket.destroy()
}
