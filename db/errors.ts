import { createError } from '@fastify/error'

/** 422: the cursor was not made by us, or for another list, order, filter or caller. */
export const InvalidCursor = createError(
  'INVALID_CURSOR',
  'The cursor does not belong to this list: start again without one',
  422
)
