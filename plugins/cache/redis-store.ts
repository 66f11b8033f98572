import type { Redis } from 'ioredis'
import type { Guard } from '../redis/index.ts'
import { batchedReads } from './batched-reads.ts'
import { type CacheStore, CLAIM_TTL_MS, TAG_TTL_MS } from './store.ts'
import { EPOCH, newVersion } from './versions.ts'

export interface RedisStoreOptions {
  /** Put before every key, after the client's own prefix. Default `cache:`. */
  prefix?: string
  /** Invalidations that wait for Redis at most; one more, and all entries go instead. Default 10 000. */
  maxPending?: number
}

const FLUSH_SIZE = 1000
const RETRY_MS = 100

/** What the store needs of a guard (plugin `redis`). */
export type CacheGuard = Pick<Guard, 'call' | 'beforeClose' | 'state'>

/**
 * A store for any number of processes, in a single Redis or a Cluster: each command names one key.
 *
 * An invalidation that Redis did not take waits here. Until it is written, nothing that it concerns is read in this
 * process; and the breaker of the guard closes only when nothing waits.
 */
export function redisStore(
  guard: CacheGuard,
  { prefix = 'cache:', maxPending = 10_000 }: RedisStoreOptions = {}
): CacheStore {
  /** Each with a mark of its own, so that a change that comes in while it is being written is not lost. */
  const pending = new Map<string, symbol>()
  const read = batchedReads(guard, prefix)
  let isWaiting = false

  function hold(tag: string): void {
    if (pending.has(EPOCH)) pending.set(EPOCH, Symbol())
    else if (pending.size < maxPending || pending.has(tag)) pending.set(tag, Symbol())
    else {
      pending.clear()
      pending.set(EPOCH, Symbol())
    }
  }

  async function flush(client: Redis): Promise<void> {
    const marks = [...pending].slice(0, FLUSH_SIZE)
    await renew(
      client,
      marks.map(([tag]) => tag)
    )
    for (const [tag, mark] of marks) if (pending.get(tag) === mark) pending.delete(tag)
  }

  async function renew(client: Redis, tags: string[]): Promise<void> {
    // Only a tag that has a version: what was never read needs no invalidation.
    const change = (tag: string) => [prefix + tag, newVersion(), 'PX', TAG_TTL_MS, 'XX'] as const
    // On a Cluster the keys are in different slots.
    if (client.isCluster || tags.length === 1) {
      await Promise.all(tags.map((tag) => client.set(...change(tag))))
      return
    }
    const pipeline = client.pipeline()
    for (const tag of tags) pipeline.set(...change(tag))
    for (const [error] of (await pipeline.exec()) ?? []) if (error) throw error
  }

  /** What one turn of the event loop invalidates goes together, each tag once. */
  let batch: { tags: Set<string>; isDone: Promise<void> } | undefined

  function beginBatch() {
    const tags = new Set<string>()
    const isDone = new Promise((resolve) => setImmediate(resolve)).then(async () => {
      batch = undefined
      try {
        await guard.call((client) => renew(client, [...tags]))
      } catch {
        // The guard tells of the outage; here it only has to be made up for.
        for (const tag of tags) hold(tag)
        retryLater()
      }
    })
    return { tags, isDone }
  }

  /** For a single failure, which opens no breaker; an open one sees to it itself. */
  function retryLater(): void {
    if (isWaiting || guard.state === 'open') return
    isWaiting = true
    setTimeout(async () => {
      isWaiting = false
      await guard.call(flush).catch(() => undefined)
      if (pending.size > 0) retryLater()
    }, RETRY_MS).unref()
  }

  guard.beforeClose({ isPending: () => pending.size > 0, flush })

  return {
    read(keys) {
      const isBehind = pending.size > 0 && (pending.has(EPOCH) || keys.some((key) => pending.has(key)))
      return isBehind ? Promise.reject(new Error('An invalidation has not been written yet')) : read(keys)
    },

    write: (key, value, ttlMs, tags) =>
      guard.call(async (client) => {
        const kept = tags.map((tag) => client.pexpire(prefix + tag, TAG_TTL_MS))
        await Promise.all([client.set(prefix + key, value, 'PX', Math.ceil(ttlMs)), ...kept])
      }),

    claim: (tag, version) =>
      guard.call(async (client) => {
        const [, known] = await Promise.all([
          client.set(prefix + tag, version, 'PX', CLAIM_TTL_MS, 'NX'),
          client.get(prefix + tag)
        ])
        if (known === null) throw new Error('The version of a tag went as soon as it came')
        return known
      }),

    replace(tags) {
      batch ??= beginBatch()
      for (const tag of tags) batch.tags.add(tag)
      return batch.isDone
    },

    pending: () => pending.size
  }
}
