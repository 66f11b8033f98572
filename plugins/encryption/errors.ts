import { createError } from '@fastify/error'

/** 500: the value was altered, belongs to another context, or its key is not among ours. Which one is not told. */
export const DecryptionFailed = createError('DECRYPTION_FAILED', 'The stored value cannot be decrypted', 500)
