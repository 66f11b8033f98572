import { httpRequest } from '../fixture.ts'
import type { Workload } from '../workload.ts'

/** `POST /api/v1/todos`: validate, insert, and record who did it, in one transaction. */
const create: Workload = {
  baseline: 'create',
  goal: 0.7,
  hooks: 'log, request id, timing, headers, metrics, limits, auth, audit, idempotency, ETag',
  requests: ({ callers }) =>
    callers.map(({ id, token }, n) =>
      httpRequest(n, '/api/v1/todos', { Authorization: `Bearer ${token}`, 'X-User-Id': id }, { title: `Todo ${n}` })
    )
}

export default create
