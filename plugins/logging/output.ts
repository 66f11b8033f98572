import type { Sink } from './sinks.ts'

const BATCH_CHARS = 64 * 1024
const MAX_CHARS = 4 * 1024 * 1024
const FLUSH_DEADLINE_MS = 1000

/**
 * Lines on their way out. They are handed to the sink in batches, one at a time, so the caller never waits and a sink
 * that is slow, full or gone costs at most 4 MiB here: what comes on top is dropped and counted.
 */
export class Output {
  readonly #sink: Sink
  readonly #delayMs: number
  #batch = ''
  #busy = false
  #broken = false
  #timer: NodeJS.Timeout | undefined
  #idle: Array<() => void> = []
  #dropped = 0
  #reported = 0

  /** Called when lines can be written again after `dropped` of them were lost. */
  onRecover: ((dropped: number) => void) | undefined

  /** @param delayMs longest wait before a line is handed on; 0 = at once */
  constructor(sink: Sink, delayMs: number) {
    this.#sink = sink
    this.#delayMs = delayMs
    process.once('exit', () => this.#writeLastWords())
  }

  /** Lines lost since the start. */
  get dropped(): number {
    return this.#dropped
  }

  write(line: string): void {
    if (this.#broken || this.#batch.length + line.length > MAX_CHARS) {
      this.#dropped += 1
      return
    }
    this.#batch += line
    this.#schedule()
  }

  /** Resolves when every line so far is out, or after one second: a sink that hangs does not hold up the stop. */
  flush(): Promise<void> {
    if (!this.#busy) this.#send()
    if (!this.#busy) return Promise.resolve()
    return new Promise((resolve) => {
      const deadline = setTimeout(resolve, FLUSH_DEADLINE_MS)
      this.#idle.push(() => {
        clearTimeout(deadline)
        resolve()
      })
    })
  }

  #schedule(): void {
    if (this.#busy || this.#batch === '') return
    const due = this.#batch.length >= BATCH_CHARS || this.#delayMs === 0 || this.#idle.length > 0
    if (due) this.#send()
    else this.#timer ??= setTimeout(() => this.#send(), this.#delayMs).unref()
  }

  #send(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#batch === '') return
    const batch = this.#batch
    this.#batch = ''
    this.#busy = true
    this.#sink.write(batch, (error) => this.#sent(error))
  }

  #sent(error: Error | null | undefined): void {
    this.#busy = false
    if (error) {
      this.#broken = true
      this.#batch = ''
    }
    this.#schedule()
    // After the full batch left, so that there is room for the line that this makes.
    if (!error && this.#dropped > this.#reported) {
      const dropped = this.#dropped - this.#reported
      this.#reported = this.#dropped
      this.onRecover?.(dropped)
    }
    if (!this.#busy) for (const resolve of this.#idle.splice(0)) resolve()
  }

  #writeLastWords(): void {
    if (this.#batch === '') return
    try {
      this.#sink.writeSync(this.#batch)
    } catch {
      // There is nowhere left to say so.
    }
  }
}
