import { httpRequest } from '../fixture.ts'
import type { Workload } from '../workload.ts'

/** A refusal by the rate limiter against an answer that it lets through: 1000 clients that go on and on. */
const refusals: Workload = {
  server: { script: 'limited', env: { LIMIT_MAX: '1' }, isRefusing: true },
  baseline: 'limited',
  goal: 1,
  hooks: 'rate limits in Redis, both stages',
  requests: ({ callers }) => callers.slice(0, 1000).map(({ id }, n) => httpRequest(n, '/', { 'X-User-Id': id }))
}

export default refusals
