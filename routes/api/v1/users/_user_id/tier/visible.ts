import type { FastifyRequest } from 'fastify'
import { NotFound } from '../../../../../../plugins/envelope/errors.ts'

/** @throws 404 unless it was found and belongs to the caller, or the caller may read all users */
export function requireVisible<T>(request: FastifyRequest, userId: string, found: T | undefined): T {
  const isVisible = request.caller.id === userId || request.can('read:user:all')
  if (found === undefined || !isVisible) throw new NotFound('User not found')
  return found
}
