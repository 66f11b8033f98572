import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { createError } from './errors.ts'

const BadHost = createError('BAD_HOST', 'The Host header is missing, repeated or not valid', 400)
const BadTransferEncoding = createError('BAD_TRANSFER_ENCODING', 'The transfer encoding is not supported', 400)
const UriTooLong = createError('URI_TOO_LONG', 'The URL is too long', 414)
const ExpectationFailed = createError('EXPECTATION_FAILED', 'The expectation cannot be met', 417)

const hostPattern = /^(?:[\w.-]{1,255}|\[[\da-f:.]{2,45}\])(?::\d{0,5})?$/i

/** Connections on which nobody knows where the next request begins: what looks like one there may be smuggled. */
const doubtful = new WeakSet<Socket>()

/**
 * Whether the body is framed by a coding that only some servers understand, or in HTTP/1.0, which has none (RFC 9112
 * §6.1); or that of an earlier request on the connection was.
 */
export function isFramedInDoubt({ headers, httpVersion, socket }: IncomingMessage): boolean {
  const coding = headers['transfer-encoding']
  if (coding !== undefined && (coding.toLowerCase() !== 'chunked' || httpVersion === '1.0')) doubtful.add(socket)
  return doubtful.has(socket)
}

/** An `onRequest` hook: what RFC 9110 and 9112 ask of every message and Node's parser lets through. */
export function messageCheck(maxUrlLength: number) {
  let goodHost: string | undefined

  return function checkMessage(request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void): void {
    const { raw } = request
    if (isFramedInDoubt(raw)) {
      reply.header('connection', 'close')
      done(new BadTransferEncoding())
    } else {
      done(faultOf(raw))
    }
  }

  function faultOf({ headers: { host, expect }, httpVersion, url = '' }: IncomingMessage): Error | undefined {
    if (url.length > maxUrlLength) return new UriTooLong()
    if (host === undefined || host !== goodHost) {
      if (host === undefined ? httpVersion === '1.1' : !hostPattern.test(host)) return new BadHost()
      goodHost = host
    }
    if (expect !== undefined && expect.toLowerCase() !== '100-continue') return new ExpectationFailed()
    return undefined
  }
}
