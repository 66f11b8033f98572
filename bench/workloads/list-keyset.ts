import { httpRequest } from '../fixture.ts'
import { ensureItems } from '../items.ts'
import type { Workload } from '../workload.ts'

/** `GET /api/v1/items` by cursor: the first part of the public list of a million items. */
const listKeyset: Workload = {
  baseline: 'items',
  goal: 0.85,
  hooks: 'log, request id, timing, headers, metrics, limits, auth (optional)',
  async requests(fixture) {
    await ensureItems(fixture)
    return Array.from({ length: 10_000 }, (_, n) => httpRequest(n, '/api/v1/items?limit=10'))
  }
}

export default listKeyset
