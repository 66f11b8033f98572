import {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  LogController
} from 'fastify'
import fp from 'fastify-plugin'
import { createLogger, type Logging, type LoggingOptions, pathOf } from './logger.ts'
import { requestId } from './request-id.ts'

export { createLogger, type Logging, type LoggingOptions } from './logger.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** `false`: no line for requests to this route, for probes and scrapes. Default true. */
    log?: boolean
  }
}

const MAX_USER_AGENT_CHARS = 200

/** What `serverOptions` returns, to be spread into `Fastify({ … })`. */
export interface LoggingServerOptions {
  loggerInstance: FastifyBaseLogger
  genReqId: typeof requestId
  requestIdHeader: false
  logController: LogController
}

const kLogging = Symbol('logging')

/**
 * The part of logging that only Fastify's constructor can take.
 *
 * @param options as for `createLogger`, or the result of one, to share its logger
 * @throws when `options.file` cannot be opened
 */
export function serverOptions(options: LoggingOptions | Logging = {}): LoggingServerOptions {
  const logging = 'logger' in options ? options : createLogger(options)
  // Fastify's own logger is a child of this one and finds it through its prototype.
  Object.defineProperty(logging.logger, kLogging, { value: logging })
  return {
    loggerInstance: logging.logger,
    genReqId: requestId,
    requestIdHeader: false,
    logController: new OneLinePerRequest({ requestIdLogLabel: 'request_id' })
  }
}

/** Fastify's own lines about faults stay; those that repeat the request line, or show its query string, do not. */
class OneLinePerRequest extends LogController {
  override incomingRequest(): void {}
  override requestCompleted(): void {}
  override routeNotFound(): void {}
  override defaultErrorLog(error: Error, _request: FastifyRequest, reply: FastifyReply): void {
    if (reply.statusCode >= 500) reply.log.error({ err: error }, error.message)
  }
}

async function plugin(app: FastifyInstance): Promise<void> {
  // A property of our own, on a logger whose type is Fastify's.
  const logging = (app.log as { [kLogging]?: Logging })[kLogging]
  warnIfIncomplete(app, logging)

  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id)
    if (logging !== undefined && request.routeOptions.config.log !== false) logWhenDone(request, reply, logging)
    done()
  })

  app.addHook('onSend', (_request, reply, payload, done) => {
    const ms = tenths(reply.elapsedTime)
    reply.header('x-response-time', `${ms}ms`)
    const others = reply.getHeader('server-timing')
    reply.header('server-timing', others === undefined ? `app;dur=${ms}` : `${others}, app;dur=${ms}`)
    done(null, payload)
  })

  // Registered first, closed last: what the others say while they close is out as well.
  app.addHook('onClose', () => logging?.flush())
}

function warnIfIncomplete(app: FastifyInstance, logging: Logging | undefined): void {
  const missing = []
  if (logging === undefined) missing.push('loggerInstance', 'logController')
  // Fastify has this property, its types do not.
  if ('genReqId' in app && app.genReqId !== requestId) missing.push('genReqId', 'requestIdHeader')
  if (missing.length === 0) return
  const warning = `logging: ${missing.join(', ')} missing; use Fastify({ ...serverOptions(options) })`
  // Without any logger Fastify's `app.log` says nothing and has no level.
  if (app.log.level === undefined) process.emitWarning(warning)
  else app.log.warn(warning)
}

/** At `close` and not in `onResponse`, which Fastify does not call when the client went away before the answer. */
function logWhenDone(request: FastifyRequest, reply: FastifyReply, logging: Logging): void {
  // Read now, because a closed socket no longer knows its peer.
  const ip = request.ip
  reply.raw.on('close', () => {
    const { statusCode } = reply
    const level = statusCode >= 500 ? 'warn' : 'info'
    // A pino logger, as serverOptions() gave it; routes may have raised or silenced its level.
    if (!(request.log as Logging['logger']).isLevelEnabled(level)) return
    const isAborted = !reply.raw.writableFinished && request.raw.socket.destroyed
    logging.writeRequest(level, {
      request_id: request.id,
      method: request.method,
      path: pathOf(request.url),
      status: isAborted ? undefined : statusCode,
      aborted: isAborted ? true : undefined,
      duration_ms: tenths(reply.elapsedTime),
      ip,
      user_agent: request.headers['user-agent']?.slice(0, MAX_USER_AGENT_CHARS)
    })
  })
}

const tenths = (ms: number) => Math.round(ms * 10) / 10

export const loggingPlugin = fp(plugin, { name: 'logging', fastify: '5.x' })
export default loggingPlugin
