import type { FastifyRequest } from 'fastify'
import type { Permission } from '../../../../plugins/auth/index.ts'
import type { Visible } from './queries.ts'

/** The task that a path names, as far as it is the caller's, or they may do this to all. */
export const visible = (request: FastifyRequest<{ Params: { task_id: string } }>, permission: Permission): Visible => ({
  id: request.params.task_id,
  owner: request.can(permission) ? null : request.caller.user_id
})
