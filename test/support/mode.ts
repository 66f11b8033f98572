/** `embedded` runs on PGlite and memory, `services` on PostgreSQL and Redis; the runner sets it. */
export const mode = process.env.TEST_MODE === 'services' ? 'services' : 'embedded'

export const redisUrl = process.env.REDIS_URL ?? 'redis://127.0.0.1:6379'
