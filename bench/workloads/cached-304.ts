import { httpRequest } from '../fixture.ts'
import type { Workload } from '../workload.ts'
import cachedGet from './cached-get.ts'

/** The same as `cached-get` for clients that have the answer already. */
const cached304: Workload = {
  ...cachedGet,
  goal: 0.8,
  hooks: `${cachedGet.hooks}, conditional`,
  requests: ({ callers }) =>
    callers.map(({ id, token }, n) =>
      httpRequest(n, '/api/v1/items', { Authorization: `Bearer ${token}`, 'X-User-Id': id, 'If-None-Match': '*' })
    )
}

export default cached304
