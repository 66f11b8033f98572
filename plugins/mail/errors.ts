import { createError } from '@fastify/error'

/** A fault of the program: no such mail is ever sent. The argument says what is wrong, without the value. */
export const MailInvalid = createError<[string]>('MAIL_INVALID', 'The mail has %s', 500)

/** The server refuses this recipient: to send it again would not help. */
export const MailRefused = createError<[string]>('MAIL_REFUSED', 'The mail server refuses the recipient: %s', 502)

/** The server is out or took the mail not this time: it may be sent again. */
export const MailFailed = createError<[string]>('MAIL_FAILED', 'The mail was not sent: %s', 503)
