import { createError } from '@fastify/error'

/** A fault of the program: the payload does not fit the job's schema. The argument names the job, the second one the place. */
export const PayloadInvalid = createError<[string, string]>('JOB_PAYLOAD_INVALID', 'Job %s: payload%s', 500)

/** A fault of the program: no such job was given to the plugin. */
export const UnknownJob = createError<[string]>('JOB_UNKNOWN', 'There is no job %s among the option jobs', 500)

/** A run took longer than the job's `timeoutSeconds`. */
export const JobTimeout = createError<[string, number]>('JOB_TIMEOUT', 'Job %s ran for more than %s s', 500)

/** Another worker took the job over, or it was cancelled: what this run did was rolled back. */
export const JobLost = createError<[string]>('JOB_LOST', 'Job %s is no longer this worker’s', 500)
