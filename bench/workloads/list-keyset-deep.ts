import { httpRequest } from '../fixture.ts'
import { ensureItems, placesFrom } from '../items.ts'
import type { Workload } from '../workload.ts'

/** The same from the 50,000th page on: it must cost what the first one costs. */
const listKeysetDeep: Workload = {
  baseline: 'items',
  goal: 0.85,
  hooks: 'log, request id, timing, headers, metrics, limits, auth (optional), cursor',
  async requests(fixture) {
    await ensureItems(fixture)
    const places = await placesFrom(fixture, 500_000, 10_000)
    return places.map(({ cursor, created_at, id }, n) =>
      // The baseline cannot read our cursors: it takes the place from headers, which ours does not look at.
      httpRequest(n, `/api/v1/items?limit=10&cursor=${cursor}`, { 'X-After-Time': created_at, 'X-After-Id': id })
    )
  }
}

export default listKeysetDeep
