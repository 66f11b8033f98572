import { httpRequest } from '../fixture.ts'
import type { Workload } from '../workload.ts'

/** A route without work of its own, `GET /`: what our global hooks cost. */
const helloFull: Workload = {
  baseline: 'hello',
  goal: 0.55,
  hooks: 'log, request id, timing, headers, metrics, limits',
  requests: () => Array.from({ length: 10_000 }, (_, n) => httpRequest(n, '/'))
}

export default helloFull
