import type { FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods } from 'fastify'
import { type Fault, statusFault } from './fault.ts'
import { sendFault } from './render.ts'

const notFound: Fault = { ...statusFault(404), message: 'Route not found' }

/** Answers what no route matches: 405 with `Allow` where the path has routes for other methods, else 404. */
export function notFoundHandler(app: FastifyInstance) {
  const methods = new Set<HTTPMethods>()
  app.addHook('onRoute', ({ method }) => {
    for (const name of [method].flat()) methods.add(name)
  })

  return function answerNotFound(request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const allowed = [...methods].filter((method) => app.findRoute({ method, url: request.raw.url ?? '/' }) !== null)
    return sendFault(request, reply, isMethodAtFault(request.method, allowed) ? methodNotAllowed(allowed) : notFound)
  }
}

/**
 * Not where the route exists and found nothing itself (`reply.callNotFound()`), nor where only OPTIONS matches: a CORS
 * plugin answers that for every path.
 */
function isMethodAtFault(method: string, allowed: string[]): boolean {
  return !allowed.includes(method) && allowed.some((name) => name !== 'OPTIONS')
}

function methodNotAllowed(allowed: string[]): Fault {
  return {
    ...statusFault(405),
    message: 'This method is not allowed here',
    headers: { Allow: allowed.sort().join(', ') }
  }
}
