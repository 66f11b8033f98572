import { createError } from '@fastify/error'

/** 412: the resource is not in the state that `If-Match` names. */
export const PreconditionFailed = createError<'PRECONDITION_FAILED', 412, []>(
  'PRECONDITION_FAILED',
  'The resource has changed since it was read; read it again',
  412
)

/** 428: the route asks for `If-Match`. */
export const PreconditionRequired = createError(
  'PRECONDITION_REQUIRED',
  'The header If-Match with the ETag of the resource is required here',
  428
)

/** Why an UPDATE whose conditions include `request.ifMatch` found no row: `absent`, or `PreconditionFailed` if `exists`. */
export async function absentOrChanged(
  ifMatch: object | undefined,
  exists: () => Promise<boolean>,
  absent: Error
): Promise<Error> {
  return ifMatch && (await exists()) ? new PreconditionFailed() : absent
}
