import { createError } from '@fastify/error'

/** 422: the cursor was not made by us, or for another list, order, filter or caller. */
export const InvalidCursor = createError(
  'INVALID_CURSOR',
  'The cursor does not belong to this list: start again without one',
  422
)

/** 422: a list is had in pages or walked by cursor, not both at once. */
export const PageWithCursor = createError(
  'PAGE_WITH_CURSOR',
  'Ask for page and items_per_page, or for cursor and limit, not for both',
  422
)

/** 409: the change would leave the service without an administrator. */
export const LastAdmin = createError('LAST_ADMIN', 'The last active administrator has to stay', 409)
