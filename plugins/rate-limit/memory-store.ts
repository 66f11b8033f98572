import { LRUCache } from 'lru-cache'
import type { LimitStore, State } from './store.ts'
import { BUCKETS, createWindows, type Moment, moment } from './window.ts'

export interface MemoryStoreOptions {
  /** Counters that are kept; beyond, the one unused for longest goes. About 500 bytes each. */
  maxKeys: number
  /** Monotonic clock in milliseconds. */
  now: () => number
}

export interface MemoryStore extends LimitStore {
  readonly size: number
  /** Counters that had to go while their client was at its limit, which is thereby forgotten. */
  readonly evictedFull: number
}

/** Counts in this process. The windows of all keys lie in a few arrays, no work for the collector. */
export function memoryStore({ maxKeys, now }: MemoryStoreOptions): MemoryStore {
  const windows = createWindows(maxKeys)
  const widths = new Float64Array(maxKeys)
  const indexes = new Float64Array(maxKeys)
  const fullUntil = new Float64Array(maxKeys)
  // `max` would reserve its whole space at the start.
  const rows = new LRUCache<string, number>({ maxSize: maxKeys, sizeCalculation: () => 1 })
  let evictedFull = 0

  /** The row of a key, moved on to now; `undefined` when nothing is known of it. */
  function find(key: string, present: Moment): number | undefined {
    const row = rows.get(key)
    if (row === undefined) return undefined
    const age = present.index - (indexes[row] ?? 0)
    if (widths[row] !== present.width || age < 0) windows.fold(row, present, BUCKETS * (widths[row] ?? 0))
    else if (age > 0) windows.shift(row, age)
    widths[row] = present.width
    indexes[row] = present.index
    return row
  }

  function create(key: string, { at, width, index }: Moment): number {
    let row = rows.size
    if (row === maxKeys) {
      row = rows.pop() ?? 0
      if ((fullUntil[row] ?? 0) > at) evictedFull++
      windows.clear(row)
    }
    rows.set(key, row)
    widths[row] = width
    indexes[row] = index
    fullUntil[row] = 0
    return row
  }

  return {
    get size() {
      return rows.size
    },
    get evictedFull() {
      return evictedFull
    },
    take({ client, set, cost }) {
      const at = now()
      const found = set.policies.map(({ key, max, seconds }) => {
        const present = moment(at, seconds)
        const name = `${client}:${key}`
        const row = find(name, present)
        return { name, max, present, row, used: row === undefined ? 0 : windows.used(row, present) }
      })
      const isAllowed = cost === 0 || found.every(({ max, used }) => used + cost <= max)
      const states = found.map(({ name, max, present, row: known, used: before }): State => {
        const isCharged = isAllowed && cost > 0
        const isExceeded = cost > 0 && before + cost > max
        const row = isCharged ? (known ?? create(name, present)) : known
        const used = isCharged ? before + cost : before
        if (row !== undefined && isCharged) windows.add(row, cost, present)
        const amount = isExceeded ? used + cost - max : 1
        const untilFree = row === undefined ? BUCKETS * present.width : windows.msUntilFree(row, amount, present)
        if (row !== undefined && used >= max) fullUntil[row] = at + untilFree
        return { isExceeded, remaining: Math.max(0, max - used), resetMs: isExceeded || used > 0 ? untilFree : 0 }
      })
      return { isAllowed, states, isBlind: false }
    }
  }
}
