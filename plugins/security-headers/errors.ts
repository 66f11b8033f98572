import createError from '@fastify/error'

/** 400: the request was addressed to a host that is not ours. */
export const HostNotAllowed = createError('HOST_NOT_ALLOWED', 'Host not allowed', 400)
