import type { FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods } from 'fastify'
import { NotFound } from './errors.ts'
import { type Fault, statusFault } from './fault.ts'
import { sendFault } from './render.ts'

const MESSAGE = 'Route not found'
const notFound: Fault = { ...statusFault(404), message: MESSAGE }

/** Answers what no route matches: 405 with `Allow` where the path has routes for other methods, else 404. */
export function notFoundHandler(app: FastifyInstance) {
  const methods = new Set<HTTPMethods>()
  app.addHook('onRoute', ({ method }) => {
    for (const name of [method].flat()) methods.add(name)
  })

  return function answerNotFound(request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const allowed = [...methods].filter((method) => {
      const found = app.findRoute({ method, url: request.raw.url ?? '/' })
      return found !== null && !lacksParam(found.params)
    })
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

/**
 * An `onRequest` hook: for the router an empty segment is a parameter, and `/todos/` the `/todos/:id` of nothing; here it is an
 * unknown route. Add it where such a request has been counted and nobody has been asked yet who is calling.
 */
export function refuseEmptyParams(request: FastifyRequest, _reply: FastifyReply, done: (error?: Error) => void): void {
  done(lacksParam(request.params) ? new NotFound(MESSAGE) : undefined)
}

/** Whether a parameter is empty; what a wildcard stands for may be nothing. */
export const lacksParam = (params: unknown) =>
  Object.entries(Object(params)).some(([name, value]) => value === '' && name !== '*')
