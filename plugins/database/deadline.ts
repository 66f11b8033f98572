/** Makes a callback one that is called in time, if need be with an error, and once. */
export type Deadline = <R>(callback: Callback<R>) => Callback<R>

/** What is late fails with; in the words of node-postgres. */
export const LATE = 'Query read timeout'

type Callback<R> = (error: Error | null, result: R) => void

interface Pending {
  readonly until: number
  /** Undefined once it is over, so that nothing is held on to. */
  late: (() => void) | undefined
}

/**
 * One timer for all, in the order in which they begin, for they have equally long. With one each, which node-postgres would set
 * and clear, more of what a short read leaves behind outlives the next collection of garbage.
 *
 * @param ms how long each of them has, in milliseconds; 0: as long as they take
 */
export function createDeadline(ms: number): Deadline {
  if (ms === 0) return once
  let queue: Pending[] = []
  /** Those before it are over. */
  let first = 0
  let isArmed = false

  // After a busy event loop timers come before I/O: answers that are already here are read before anything is called late.
  const arm = (delayMs: number) => void setTimeout(setImmediate, delayMs, sweep).unref()

  function sweep(): void {
    // Node's timers may fire up to one millisecond early.
    const now = performance.now() + 1
    for (let pending = oldest(); pending !== undefined && pending.until <= now; pending = oldest()) {
      // Each by itself: whatever one throws, the others are told and the timer is set again.
      if (pending.late !== undefined) process.nextTick(pending.late)
      pending.late = undefined
    }
    const next = oldest()
    isArmed = next !== undefined
    if (next !== undefined) arm(next.until - now)
  }

  function oldest(): Pending | undefined {
    while (first < queue.length && queue[first]?.late === undefined) first++
    // Seldom enough to cost nothing, often enough to hold nothing that is over.
    if (first > 1000 || (first > 0 && first === queue.length)) {
      queue = queue.slice(first)
      first = 0
    }
    return queue[first]
  }

  function begin(late: () => void): Pending {
    oldest()
    const pending = { until: performance.now() + ms, late }
    queue.push(pending)
    if (!isArmed) {
      isArmed = true
      arm(ms)
    }
    return pending
  }

  return <R>(callback: Callback<R>): Callback<R> => {
    // Nobody looks at the result then.
    const pending = begin(() => callback(new Error(LATE), undefined as R))
    return (error, result) => {
      if (pending.late === undefined) return
      pending.late = undefined
      callback(error, result)
    }
  }
}

/** node-postgres calls back twice for a value that cannot be sent. */
function once<R>(callback: Callback<R>): Callback<R> {
  let isOver = false
  return (error, result) => {
    if (isOver) return
    isOver = true
    callback(error, result)
  }
}
