import createError from '@fastify/error'

/** 401 with a Bearer challenge: the token is missing or wrong. */
export const MetricsUnauthorized = createError('METRICS_UNAUTHORIZED', 'A metrics token is required', 401)

/** 403: without a token only this machine may read the figures. */
export const MetricsForbidden = createError('METRICS_FORBIDDEN', 'Metrics are for local clients only', 403)
