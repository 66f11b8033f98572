/** A mailbox in ASCII: neither spaces, quotes, angle brackets, commas nor control characters, so it is exactly one. */
const MAILBOX =
  /^[a-z\d!#$%&'*+/=?^_`{|}~.-]{1,64}@(?:[a-z\d](?:[a-z\d-]{0,61}[a-z\d])?\.)*[a-z\d](?:[a-z\d-]{0,61}[a-z\d])?$/i
const WITH_NAME = /^([^<>"]*?)\s*<([^<>]*)>$/

export interface Sender {
  name: string
  address: string
  /** What stands behind the `@`. */
  domain: string
}

export const isAddress = (text: string) => text.length <= 254 && MAILBOX.test(text)

/** Line breaks and the like, by which one header would become two. */
export const hasControls = (text: string) => /\p{Cc}|[\u2028\u2029]/u.test(text)

/** `name@host` or `Name <name@host>`; `null` when it is neither. */
export function parseSender(text: string): Sender | null {
  const [, name = '', address = text] = WITH_NAME.exec(text) ?? []
  if (!isAddress(address) || hasControls(name) || name.length > 100) return null
  return { name, address, domain: address.slice(address.lastIndexOf('@') + 1) }
}
