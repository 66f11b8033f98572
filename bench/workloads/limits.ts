import { httpRequest } from '../fixture.ts'
import type { Workload } from '../workload.ts'

/** The rate limiter alone, of 10 000 users behind 2000 addresses: what it costs is the difference of the two columns. */
const limits: Workload = {
  server: { script: 'limited' },
  baseline: 'unlimited',
  goal: 0.55,
  hooks: 'rate limits in Redis, both stages',
  requests: ({ callers }) => callers.map(({ id }, n) => httpRequest(n, '/', { 'X-User-Id': id }))
}

export default limits
