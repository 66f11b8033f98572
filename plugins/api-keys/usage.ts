import { LRUCache } from 'lru-cache'

export interface UsageOptions {
  write(ids: string[]): Promise<void>
  onFailure(error: unknown): void
  now(): number
}

export interface Usage {
  /** Remembers that the key was used. Costs no I/O; a busy key is written once a minute. */
  note(id: string): void
  /** Writes what waits. */
  flush(): Promise<void>
}

const WRITE_EVERY_MS = 60_000
const GATHER_MS = 1000
/** Keys whose last write is remembered, and keys that may wait for the next one; beyond that a use goes unrecorded. */
const MAX_KEYS = 10_000

/** Gathers uses for a second and writes them in one statement, behind the backs of the requests. */
export function createUsage({ write, onFailure, now }: UsageOptions): Usage {
  // `max` would reserve its whole space at the start.
  const writtenAt = new LRUCache<string, number>({ maxSize: MAX_KEYS, sizeCalculation: () => 1 })
  const waiting = new Set<string>()
  let timer: NodeJS.Timeout | undefined

  async function flush(): Promise<void> {
    clearTimeout(timer)
    timer = undefined
    if (waiting.size === 0) return
    const ids = [...waiting]
    waiting.clear()
    await write(ids).catch(onFailure)
  }

  return {
    note(id) {
      const at = now()
      const before = writtenAt.get(id)
      if ((before !== undefined && at - before < WRITE_EVERY_MS) || waiting.size >= MAX_KEYS) return
      writtenAt.set(id, at)
      waiting.add(id)
      timer ??= setTimeout(() => void flush(), GATHER_MS).unref()
    },
    flush
  }
}
