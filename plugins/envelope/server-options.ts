import type { FastifyReply, FastifyRequest } from 'fastify'
import { toFault } from './classify.ts'
import { clientErrorHandler } from './client-errors.ts'
import { isFramedInDoubt } from './message.ts'
import { sendFault } from './render.ts'

/** What only Fastify's constructor takes. All times are in milliseconds. */
export interface EnvelopeServerOptions {
  /** For the whole request to arrive; then 408. Default 30 000. */
  requestTimeoutMs?: number
  /** For the headers to arrive; then 408. Default 10 000, never more than `requestTimeoutMs`. */
  headersTimeoutMs?: number
  /** Without a byte in either direction, after which the connection is cut. Default 120 000. */
  connectionTimeoutMs?: number
  /** An idle connection is kept. A proxy in front must keep its end for less. Default 72 000. */
  keepAliveTimeoutMs?: number
  /** Bytes of a body; more is 413. A route may set its own `bodyLimit`. Default 1 MiB. */
  bodyLimitBytes?: number
  /** Bytes of the request line and headers together; more is 431. Default 16 KiB. */
  maxHeaderBytes?: number
  /** Characters of one path parameter; more is 414. Default 256. */
  maxParamLength?: number
  /** Headers for the answers that no hook sees: bad URLs and what the parser refuses. Default none. */
  headers?: Record<string, string>
}

/** Options for `Fastify({ ...serverOptions() })`: limits, and the answers to what never reaches a route. */
export function serverOptions(options: EnvelopeServerOptions = {}) {
  const { requestTimeoutMs = 30_000, headersTimeoutMs = 10_000, headers = {} } = options
  return {
    requestTimeout: requestTimeoutMs,
    connectionTimeout: options.connectionTimeoutMs ?? 120_000,
    keepAliveTimeout: options.keepAliveTimeoutMs ?? 72_000,
    bodyLimit: options.bodyLimitBytes ?? 1_048_576,
    // While closing, requests on open connections are still served; who drains decides when that ends.
    return503OnClosing: false,
    http: {
      requestTimeout: requestTimeoutMs,
      headersTimeout: Math.min(headersTimeoutMs, requestTimeoutMs),
      connectionsCheckingInterval: Math.min(1_000, requestTimeoutMs),
      maxHeaderSize: options.maxHeaderBytes ?? 16_384,
      // Node would answer a missing Host in its own words, and of two equal headers take the first in silence. Joined by
      // a comma, two of Host, Authorization or Content-Type make none that is valid.
      requireHostHeader: false,
      joinDuplicateHeaders: true
    },
    routerOptions: {
      ignoreTrailingSlash: false,
      ignoreDuplicateSlashes: false,
      caseSensitive: true,
      maxParamLength: options.maxParamLength ?? 256
    },
    clientErrorHandler: clientErrorHandler(headers),
    frameworkErrors(error: Error, request: FastifyRequest, reply: FastifyReply) {
      reply.headers({ ...headers, 'x-request-id': request.id })
      if (isFramedInDoubt(request.raw)) reply.header('connection', 'close')
      const fault = toFault(error)
      // No hook sees these, so nobody else logs them; their URL is what is wrong with them.
      request.log.info({ method: request.method, status: fault.status, reason: fault.error_code }, 'request refused')
      sendFault(request, reply, fault)
    }
  }
}
