import { DeadlineExceeded } from './errors.ts'

/** Runs `fn` and rejects with `DeadlineExceeded` when its promise is still pending at the deadline. */
export type WithDeadline = <T>(fn: () => Promise<T>) => Promise<T>

interface Waiting {
  readonly until: number
  /** Undefined once settled, so that nothing is held on to until the next sweep. */
  reject: ((error: Error) => void) | undefined
}

/**
 * One deadline for many calls at the price of one timer: all wait equally long, so they run out in the order they came.
 *
 * @param ms the deadline of every call, in milliseconds
 */
export function withDeadline(ms: number): WithDeadline {
  let queue: Waiting[] = []
  let isArmed = false

  // After a busy event loop timers come before I/O: answers that are already here are read before anything is called late.
  const arm = (delayMs: number) => setTimeout(setImmediate, delayMs, sweep)

  function sweep(): void {
    // Node's timers may fire up to one millisecond early.
    const now = performance.now() + 1
    let done = 0
    for (const waiting of queue) {
      if (waiting.reject !== undefined && waiting.until > now) break
      waiting.reject?.(new DeadlineExceeded(ms))
      done++
    }
    queue = queue.slice(done)
    const next = queue[0]
    isArmed = next !== undefined
    if (next !== undefined) arm(next.until - now)
  }

  return (fn) =>
    new Promise((resolve, reject) => {
      const waiting: Waiting = { until: performance.now() + ms, reject }
      queue.push(waiting)
      if (!isArmed) {
        isArmed = true
        arm(ms)
      }
      const settle = () => {
        waiting.reject = undefined
      }
      // What `fn` throws at once rejects this promise, too; the entry then runs out unnoticed.
      fn().then(
        (value) => {
          settle()
          resolve(value)
        },
        (error) => {
          settle()
          reject(error)
        }
      )
    })
}
