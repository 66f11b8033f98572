import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { toFault } from './classify.ts'
import { clientErrorHandler, refuseTunnel } from './client-errors.ts'
import { documentErrors } from './documentation.ts'
import type { Fault } from './fault.ts'
import { lingerAfterAnswer } from './linger.ts'
import { messageCheck } from './message.ts'
import { notFoundHandler } from './not-found.ts'
import { sendFault } from './render.ts'
import { ErrorSchema, ProblemSchema } from './schema.ts'
import { serializerFactory } from './serializers.ts'

export * from './errors.ts'
export { lacksParam, refuseEmptyParams } from './not-found.ts'
export * from './schema.ts'
export { type EnvelopeServerOptions, serverOptions } from './server-options.ts'

export interface EnvelopeOptions {
  /** Characters of path and query together; more is 414. Default 8000, which RFC 9110 asks for at least. */
  maxUrlLength?: number
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /**
     * Tells the errors of this route, whatever they come from, in the shape of another standard: gives them a `body`, and
     * perhaps another status. What they look like is then for the route to document, see `errorsAs`.
     */
    fault?: (fault: Fault) => Fault
  }
}

async function plugin(app: FastifyInstance, options: EnvelopeOptions): Promise<void> {
  if (app.getSchema('Error') !== undefined || app.getSchema('Problem') !== undefined) {
    throw new Error('envelope: there is a schema Error or Problem already; is the plugin registered twice?')
  }
  const { maxUrlLength = 8000 } = options
  if (!(maxUrlLength > 0)) throw new TypeError('envelope: `maxUrlLength` must be longer than 0')
  app.addSchema(ErrorSchema)
  app.addSchema(ProblemSchema)
  app.setSchemaController({ compilersFactory: { buildSerializer: serializerFactory() } })
  app.addHook('onRoute', documentErrors)

  app.addHook('onRequest', messageCheck(maxUrlLength))
  app.setErrorHandler(handleError)
  handleNotFound(app)

  app.server.on('connect', refuseTunnel)
  // Node would answer these in its own words; as a request they meet `messageCheck`.
  app.server.on('checkExpectation', app.routing)
  warnWithoutServerOptions(app)
}

function handleError(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const { fault: reshape = asItIs } = request.routeOptions.config
  const fault = reshape(toFault(error))
  if (fault.status === 503) request.log.warn({ err: error }, fault.message)
  else if (fault.status >= 500) request.log.error({ err: error }, fault.message)
  else request.log.debug({ err: error }, fault.message)
  if (!request.raw.complete && reply.getHeader('connection') === 'close') lingerAfterAnswer(request.raw.socket)
  return sendFault(request, reply, fault)
}

const asItIs = (fault: Fault) => fault

/**
 * As an `onRequest` hook of the 404 context it runs after the hooks of all plugins, and before a body that nobody wants
 * is read and parsed. Fastify takes every lifecycle hook here, its types name but two. The handler itself is for
 * `reply.callNotFound()`.
 */
function handleNotFound(app: FastifyInstance): void {
  const answer = notFoundHandler(app)
  const hooks = { onRequest: (request: FastifyRequest, reply: FastifyReply) => void answer(request, reply) }
  app.setNotFoundHandler(hooks as Parameters<FastifyInstance['setNotFoundHandler']>[0], answer)
}

function warnWithoutServerOptions(app: FastifyInstance): void {
  // Fastify binds the handler, which keeps its name.
  const own = app.server.listeners('clientError').some(({ name }) => name === `bound ${clientErrorHandler({}).name}`)
  if (own) return
  app.log.warn(
    'envelope: without serverOptions() in Fastify({…}), bad URLs and what the HTTP parser refuses are answered by others'
  )
}

export type { Fault }
export const envelopePlugin = fp(plugin, { name: 'envelope', fastify: '5.x' })
export default envelopePlugin
