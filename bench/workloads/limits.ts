import { httpRequest } from '../fixture.ts'
import type { Workload } from '../workload.ts'

/** The rate limiter alone, of 10 000 users behind 2000 addresses: what it costs is the difference of the two columns. */
const limits: Workload = {
  server: { script: 'limited' },
  baseline: 'unlimited',
  // 8 µs where the same request takes 11 without: as a ratio, because microseconds differ from machine to machine.
  goal: 11 / (11 + 8),
  hooks: 'rate limits in Redis, both stages',
  requests: ({ callers }) => callers.map(({ id }, n) => httpRequest(n, '/', { 'X-User-Id': id }))
}

export default limits
