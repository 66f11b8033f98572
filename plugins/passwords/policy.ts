import { commonPasswords } from './common.ts'

export interface PolicyOptions {
  /** Characters (code points after NFC). Default 8. */
  minLength?: number
  /** Characters (code points after NFC); longer ones are never hashed. Default 128. */
  maxLength?: number
  /** Demands an upper-case letter, a lower-case letter and a digit. Default false. */
  requireClasses?: boolean
  /** Whether a password is too common. Default: judges by the shipped list. */
  isCommon?: (plain: string) => boolean
}

/** Whose password it is to be. */
export interface PasswordOwner {
  email?: string
  username?: string
}

export interface Policy {
  /** The text that is hashed, or `null` when it is too long or not valid Unicode. */
  normalize(plain: string): string | null
  /** What is wrong with a new password, as a sentence for its owner. */
  problem(plain: string, owner?: PasswordOwner): string | null
}

/** Which passwords are accepted. Each rule answers with a sentence or with nothing. */
export function createPolicy(options: PolicyOptions): Policy {
  const { minLength = 8, maxLength = 128, requireClasses = false, isCommon = commonPasswords() } = options

  /**
   * NFC, so that a password typed on another keyboard or system is the same password (RFC 8265 §4.2); never trimmed, cut or
   * case-folded. NFC shrinks text at most fourfold and a code point is at most two units: what is longer than that is
   * refused before any work is done on it.
   */
  function normalize(plain: string): string | null {
    if (plain.length > maxLength * 8 || !plain.isWellFormed()) return null
    const text = plain.normalize('NFC')
    return characters(text) > maxLength ? null : text
  }

  const rules = [
    (text: string) => (characters(text) < minLength ? `Password must have at least ${minLength} characters` : null),
    (text: string) => (requireClasses ? missingClass(text) : null),
    (text: string, owner: PasswordOwner) =>
      isName(text, owner) ? 'Password must not be the e-mail address or username' : null,
    (text: string) => (isCommon(text) ? 'Password is too common: a known password, word or name, or little more' : null)
  ]

  function problem(plain: string, owner: PasswordOwner = {}): string | null {
    const text = normalize(plain)
    if (text === null) return `Password must be valid text of at most ${maxLength} characters`
    for (const rule of rules) {
      const found = rule(text, owner)
      if (found !== null) return found
    }
    return null
  }

  return { normalize, problem }
}

function characters(text: string): number {
  let count = 0
  for (const _ of text) count++
  return count
}

function missingClass(text: string): string | null {
  if (!/\p{Lu}/u.test(text)) return 'Password must contain an upper-case letter'
  if (!/\p{Ll}/u.test(text)) return 'Password must contain a lower-case letter'
  if (!/\p{Nd}/u.test(text)) return 'Password must contain a digit'
  return null
}

function isName(text: string, { email, username }: PasswordOwner): boolean {
  const folded = text.toLowerCase()
  return [email, email?.split('@')[0], username].some((name) => name?.normalize('NFC').toLowerCase() === folded)
}
