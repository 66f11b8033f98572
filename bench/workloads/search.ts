import { httpRequest } from '../fixture.ts'
import { ensureItems } from '../items.ts'
import type { Workload } from '../workload.ts'

/** `GET /api/v1/items/search` among a million items: a word of ten of them, and one of none. */
const search: Workload = {
  baseline: 'items',
  goal: 0.85,
  hooks: 'log, request id, timing, headers, metrics, limits, auth (optional)',
  async requests(fixture) {
    await ensureItems(fixture)
    return Array.from({ length: 10_000 }, (_, n) =>
      httpRequest(n, `/api/v1/items/search?q=${n % 2 === 0 ? 'quetzal' : 'abcd'}`)
    )
  }
}

export default search
