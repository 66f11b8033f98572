import { LRUCache } from 'lru-cache'
import { type Entry, isPending, liveEntries, type Rule, SPARE_ENTRIES, waitMs } from './ledger.ts'
import type { LockoutStore } from './store.ts'

export interface MemoryStoreOptions {
  /** Ledgers that are kept; beyond them the one unused for longest is dropped. Default 100 000, about 0.4 KB each. */
  maxLedgers?: number
  /** Milliseconds since 1970. Default `Date.now`. */
  now?: () => number
}

/** Ledgers of one process, bounded. */
export function memoryStore({ maxLedgers = 100_000, now = Date.now }: MemoryStoreOptions = {}): LockoutStore {
  // `max` would reserve its whole space at the start.
  const ledgers = new LRUCache<string, Entry[]>({ maxSize: maxLedgers, sizeCalculation: () => 1 })

  const read = (ledger: string, rule: Rule) => liveEntries(ledgers.get(ledger) ?? [], rule, now())

  function write(ledger: string, entries: Entry[], { limit }: Rule): void {
    if (entries.length === 0) ledgers.delete(ledger)
    else ledgers.set(ledger, entries.slice(-limit - SPARE_ENTRIES))
  }

  return {
    async enter(ledger, { id, by }, rule) {
      const entries = read(ledger, rule)
      const wait = waitMs(entries, rule, now())
      if (wait > 0) return wait
      write(ledger, [...entries, { by, at: now(), pending: id }], rule)
      return 0
    },

    async fail(ledger, { id, by }, rule) {
      const others = read(ledger, rule).filter(({ pending }) => pending !== id)
      const entries = [...others, { by, at: now() }]
      const failures = entries.filter((entry) => !isPending(entry)).length
      // A lock begins with the last failure, and all of them end with it.
      const isLock = rule.maxDelayMs === 0 && failures >= rule.limit
      write(ledger, isLock ? entries.map((entry) => ({ ...entry, at: now() })) : entries, rule)
      return failures === rule.limit
    },

    async takeBack(ledger, { id, by }, rule, isProven) {
      const isTaken = (entry: Entry) => (isPending(entry) ? entry.pending === id : isProven && entry.by === by)
      const entries = read(ledger, rule).filter((entry) => !isTaken(entry))
      write(ledger, entries, rule)
    }
  }
}
