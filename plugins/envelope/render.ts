import { type IncomingMessage, STATUS_CODES } from 'node:http'
import accepts from 'accepts'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Fault } from './fault.ts'
import type { ErrorBody, ProblemBody } from './schema.ts'

export const jsonType = 'application/json; charset=utf-8'
export const problemType = 'application/problem+json'

/** Answers with the fault: in the shape that `Accept` prefers, and never to be stored (some statuses are by default). */
export function sendFault(request: FastifyRequest, reply: FastifyReply, fault: Fault): FastifyReply {
  if (fault.headers) reply.headers(fault.headers)
  if (fault.status === 503 && !reply.hasHeader('retry-after')) reply.header('retry-after', '1')
  // RFC 9110 §15.5.2: a 401 names a challenge.
  if (fault.status === 401 && !reply.hasHeader('www-authenticate')) reply.header('www-authenticate', 'Bearer')
  reply.code(fault.status).header('cache-control', 'no-store')
  if (fault.body) return reply.type(jsonType).send(JSON.stringify(fault.body))
  const asProblem = prefersProblem(request.raw)
  return reply
    .header('vary', varyOnAccept(reply.getHeader('vary')))
    .type(asProblem ? problemType : jsonType)
    .send(asProblem ? problemBody(fault, request.id) : errorBody(fault, request.id))
}

/** The body in the shape of this API. */
export function errorBody(fault: Fault, requestId: string): string {
  const { status, error_code, message, errors, solution, details } = fault
  const body: ErrorBody = {
    status: 'error',
    code: status,
    error_code,
    message,
    ...(errors && { errors }),
    ...(solution && { solution }),
    request_id: requestId
  }
  return JSON.stringify(details ? { ...details, ...body } : body)
}

/** The body in the shape of RFC 9457. */
export function problemBody(fault: Fault, requestId: string): string {
  const { status, error_code, message, errors, solution, details, problem } = fault
  const body: ProblemBody = {
    type: 'about:blank',
    title: STATUS_CODES[status] ?? 'Error',
    ...problem,
    status,
    detail: message,
    instance: `urn:request:${requestId}`,
    error_code,
    ...(errors && { errors }),
    ...(solution && { solution }),
    request_id: requestId
  }
  return JSON.stringify(details ? { ...details, ...body } : body)
}

function prefersProblem(request: IncomingMessage): boolean {
  const { accept } = request.headers
  // Only who names the type can prefer it, and negotiating costs more than the rest of an answer to nonsense.
  if (accept === undefined || !/problem\+json/i.test(accept)) return false
  return accepts(request).type(['application/json', problemType]) === problemType
}

function varyOnAccept(vary: unknown): string {
  if (vary === undefined) return 'Accept'
  const fields = String(vary)
  return /(^|[\s,])(accept|\*)($|[\s,])/i.test(fields) ? fields : `${fields}, Accept`
}
