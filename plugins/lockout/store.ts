import type { Rule } from './ledger.ts'

/** One attempt in one ledger. */
export interface Attempt {
  id: string
  /** Who is on the other side: of a client's ledger the account, of an account's the client. */
  by: string
}

/**
 * Keeps the ledgers. Each call is atomic over all processes that share the store, and no ledger outlives its last entry for
 * longer than a window.
 */
export interface LockoutStore {
  /** Enters the attempt, unless the rule refuses it. Returns how long to wait, in milliseconds; 0: it is entered. */
  enter(ledger: string, attempt: Attempt, rule: Rule): Promise<number>
  /** The attempt failed, whether it is entered or not. Returns whether the failures have just reached the rule's limit. */
  fail(ledger: string, attempt: Attempt, rule: Rule): Promise<boolean>
  /** Takes the attempt back and, when it was proven, also what the same party failed before. */
  takeBack(ledger: string, attempt: Attempt, rule: Rule, isProven: boolean): Promise<void>
}
