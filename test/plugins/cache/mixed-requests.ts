import type { Test } from 'tap'
import type { CacheStore } from '../../../plugins/cache/index.ts'
import { startHost } from './host.ts'

export const USERS = ['ana', 'ben', 'cleo'] as const

export type Stores = (t: Test) => Promise<[CacheStore, CacheStore]>

/** Three users, an anonymous one, and changes in between: never another's body. */
export async function mixedRequests(t: Test, stores: Stores, count: number): Promise<void> {
  const [store] = await stores(t)
  const { get, app } = await startHost(t, { store })
  let foreign = 0
  let hits = 0
  for (let sent = 0; sent < count; sent += 50) {
    await Promise.all(
      Array.from({ length: 50 }, async (_, i) => {
        const user = [...USERS, undefined][(sent + i * 7) % 4]
        if (i % 10 === 0) await app.cache.invalidate(`notes:${user ?? ''}`)
        const { body, result } = await get('/note', user)
        if (body !== JSON.stringify({ of: user ?? 'nobody' })) foreign++
        if (result === 'HIT') hits++
      })
    )
  }
  t.equal(foreign, 0)
  t.ok(hits > count / 4, `${hits} of ${count} were hits`)
}
