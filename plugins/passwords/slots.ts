import { PasswordsBusy } from './errors.ts'

export interface Slots {
  /** Runs `work` when a slot is free, first come first served. @throws PasswordsBusy when the queue is full */
  run<T>(work: () => Promise<T>): Promise<T>
  waiting(): number
}

/** At most `concurrency` pieces of work at once and `queue` waiting behind them. */
export function createSlots(concurrency: number, queue: number): Slots {
  const waiting: Array<() => void> = []
  let free = concurrency

  async function run<T>(work: () => Promise<T>): Promise<T> {
    if (free > 0) free--
    else if (waiting.length < queue) await new Promise<void>((resolve) => waiting.push(resolve))
    else throw new PasswordsBusy()
    try {
      return await work()
    } finally {
      // The slot goes straight to the next in line: a newcomer cannot take it in between.
      const next = waiting.shift()
      if (next) next()
      else free++
    }
  }

  return { run, waiting: () => waiting.length }
}
