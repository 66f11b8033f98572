/** A window is cut into so many buckets; with the one that its edge runs through, that makes 17. */
export const BUCKETS = 16
export const CELLS = BUCKETS + 1

/** Where the present is: in milliseconds, and as the number of a bucket of this width. */
export interface Moment {
  at: number
  width: number
  index: number
}

export function moment(at: number, seconds: number): Moment {
  const width = (seconds * 1000) / BUCKETS
  return { at, width, index: Math.floor(at / width) }
}

/**
 * The windows of many keys in two arrays: for each bucket, the newest first, its calls and when the last of them came.
 * All calls of a bucket count until that last one is as old as the window is long: rounded against the caller, so that no
 * span of this length ever sees more than the maximum, and nobody waits longer than the window.
 */
export function createWindows(count: number) {
  const calls = new Uint32Array(count * CELLS)
  const lasts = new Float64Array(count * CELLS)
  const callsIn = (cell: number) => calls[cell] ?? 0
  const forgottenAt = (cell: number, { width }: Moment) => (lasts[cell] ?? 0) + BUCKETS * width

  function add(row: number, amount: number, { at }: Moment): void {
    const newest = row * CELLS
    calls[newest] = callsIn(newest) + amount
    lasts[newest] = at
  }

  function clear(row: number): void {
    calls.fill(0, row * CELLS, (row + 1) * CELLS)
    lasts.fill(0, row * CELLS, (row + 1) * CELLS)
  }

  return {
    add,
    clear,
    used(row: number, now: Moment): number {
      const newest = row * CELLS
      let used = 0
      for (let age = 0; age < BUCKETS; age++) used += callsIn(newest + age)
      const oldest = newest + BUCKETS
      return forgottenAt(oldest, now) > now.at ? used + callsIn(oldest) : used
    },
    /** Lets `age` buckets pass. */
    shift(row: number, age: number): void {
      const newest = row * CELLS
      const kept = Math.max(0, CELLS - age)
      for (const cells of [calls, lasts]) {
        cells.copyWithin(newest + CELLS - kept, newest, newest + kept)
        cells.fill(0, newest, newest + CELLS - kept)
      }
    },
    /**
     * Counts all calls as of the last one: when each came is unknown, because the window's length (which was `oldMs`) changed or
     * the clock went back.
     */
    fold(row: number, now: Moment, oldMs: number): void {
      let all = 0
      let last = 0
      const first = row * CELLS
      for (let cell = first; cell < first + CELLS; cell++) {
        const at = lasts[cell] ?? 0
        const isForgotten = cell === first + BUCKETS && at + oldMs <= now.at
        if (callsIn(cell) === 0 || isForgotten) continue
        all += callsIn(cell)
        last = Math.max(last, Math.min(at, now.at))
      }
      clear(row)
      const age = now.index - Math.floor(last / now.width)
      if (all === 0 || age > BUCKETS) return
      calls[first + age] = all
      lasts[first + age] = last
    },
    /** In how many milliseconds `amount` of the calls will be forgotten. */
    msUntilFree(row: number, amount: number, now: Moment): number {
      const windowMs = BUCKETS * now.width
      let freed = 0
      for (let cell = (row + 1) * CELLS - 1; cell >= row * CELLS; cell--) {
        const ms = forgottenAt(cell, now) - now.at
        if (ms > 0) freed += callsIn(cell)
        if (freed >= amount) return Math.min(ms, windowMs)
      }
      return windowMs
    }
  }
}
