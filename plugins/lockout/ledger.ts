/** An attempt of a client on an account, as a ledger keeps it. */
export interface Entry {
  /** The other party: in a client's ledger the account, in an account's the client. */
  by: string
  /** When it began or, once it has failed, when that was. Milliseconds since 1970. */
  at: number
  /** The attempt's id while it is under way; it has failed when there is none. */
  pending?: string
}

/** When a ledger refuses further attempts. */
export interface Rule {
  /** So many attempts are free. */
  limit: number
  /** How long a failure counts, in milliseconds. */
  windowMs: number
  /**
   * 0: `limit` failures lock for a whole window. Otherwise the attempts beyond have to keep a distance that doubles with
   * each failure, from a second up to this many milliseconds.
   */
  maxDelayMs: number
}

/** An attempt that nobody finishes (its process died) stops counting after this. Longer than any proof takes. */
export const PENDING_MS = 60_000
/** How long those have to wait that are refused only because of attempts under way. */
export const RETRY_MS = 1000
/** Entries kept beyond the limit: a delay does not grow any more by then. */
export const SPARE_ENTRIES = 8

/**
 * The entries that still count. One from the future (the clock was set back) counts if it is by no more than its life, so
 * nothing counts for longer than twice its life, whatever the clock does.
 */
export function liveEntries(entries: readonly Entry[], { windowMs }: Rule, now: number): Entry[] {
  return entries.filter((entry) => Math.abs(now - entry.at) < (isPending(entry) ? PENDING_MS : windowMs))
}

/** How long the next attempt has to wait, in milliseconds; 0 or less: not at all. */
export function waitMs(entries: readonly Entry[], { limit, windowMs, maxDelayMs }: Rule, now: number): number {
  if (entries.length < limit) return 0
  const times = entries.map(({ at }) => at)
  if (maxDelayMs > 0) {
    const delay = Math.min(maxDelayMs, 1000 * 2 ** (entries.length - limit))
    return Math.min(delay, Math.max(...times) + delay - now)
  }
  if (entries.some(isPending)) return RETRY_MS
  return Math.min(windowMs, Math.min(...times) + windowMs - now)
}

export const isPending = ({ pending }: Entry) => pending !== undefined
