import { createError } from '@fastify/error'

const Busy = createError('PASSWORDS_BUSY', 'Too many sign-ins at the moment, try again in a second', 503)

/** 503: every hashing slot and every place in the queue is taken. Carries `Retry-After: 1`. */
export class PasswordsBusy extends Busy {
  readonly headers = { 'Retry-After': '1' }
}

/** 422: a password that `problem()` refuses for its length or encoding was handed to `hash()`. */
export const PasswordRefused = createError('PASSWORD_REFUSED', 'The password is too long or is not valid text', 422)
