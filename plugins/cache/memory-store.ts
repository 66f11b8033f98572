import { LRUCache } from 'lru-cache'
import { type CacheStore, CLAIM_TTL_MS, TAG_TTL_MS } from './store.ts'
import { newVersion } from './versions.ts'

export interface MemoryStoreOptions {
  /** Characters of keys and values together. Default 64 Mi. */
  maxSize?: number
  /** Milliseconds; need not be the time of day. Default `performance.now`. */
  now?: () => number
}

interface Item {
  value: string
  until: number
}

/** A store in the memory of this process: for a service that is one process. The least recently used goes first. */
export function memoryStore({
  maxSize = 64 * 1024 * 1024,
  now = () => performance.now()
}: MemoryStoreOptions = {}): CacheStore {
  const items = new LRUCache<string, Item>({
    maxSize,
    sizeCalculation: ({ value }, key) => key.length + value.length + 100
  })

  function get(key: string): string | undefined {
    const item = items.get(key)
    if (item !== undefined && item.until > now()) return item.value
    items.delete(key)
    return undefined
  }
  const set = (key: string, value: string, ttlMs: number) => void items.set(key, { value, until: now() + ttlMs })

  return {
    read: async (keys) => keys.map(get),
    async write(key, value, ttlMs, tags) {
      set(key, value, ttlMs)
      for (const tag of tags) {
        const version = get(tag)
        if (version !== undefined) set(tag, version, TAG_TTL_MS)
      }
    },
    async claim(tag, version) {
      const known = get(tag)
      if (known === undefined) set(tag, version, CLAIM_TTL_MS)
      return known ?? version
    },
    async replace(tags) {
      for (const tag of tags) if (get(tag) !== undefined) set(tag, newVersion(), TAG_TTL_MS)
    }
  }
}
