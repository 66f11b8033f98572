import { randomUUID } from 'node:crypto'
import { hasControls, isAddress, type Sender } from './address.ts'
import { MailInvalid } from './errors.ts'
import type { Markup } from './html.ts'

export interface Message {
  /** One address, in ASCII. */
  to: string
  /** One line of at most 200 characters. */
  subject: string
  /** At most 256 KiB, like `html`. */
  text: string
  html: string | Markup
  /** Names the mail, 1 to 64 of `A–Z a–z 0–9 . -`: the same in every attempt to send it. Default random. */
  messageId?: string
}

/** A mail as it is handed to a transport, whose parts were checked. */
export interface Letter {
  from: { name: string; address: string }
  to: { name: ''; address: string }
  subject: string
  text: string
  html: string
  /** With angle brackets. */
  messageId: string
  headers: Record<string, string>
}

const MAX_BODY = 262_144

/** @throws MailInvalid for what would become another header, recipient or mail */
export function compose(sender: Sender, message: Message): Letter {
  const { to, subject, text, messageId = randomUUID() } = message
  const html = String(message.html)
  if (typeof to !== 'string' || !isAddress(to)) throw new MailInvalid('no single valid address in `to`')
  if (typeof subject !== 'string' || subject.length > 200 || hasControls(subject)) {
    throw new MailInvalid('a subject that is longer than 200 characters or more than one line')
  }
  if (!/^[A-Za-z\d.-]{1,64}$/.test(messageId)) throw new MailInvalid('an impossible messageId')
  if (typeof text !== 'string' || text.length > MAX_BODY || html.length > MAX_BODY) {
    throw new MailInvalid('a body that is no text or too long')
  }
  const { name, address, domain } = sender
  return {
    from: { name, address },
    to: { name: '', address: to },
    subject,
    text,
    html,
    messageId: `<${messageId}@${domain}>`,
    // RFC 3834: nobody's out-of-office note answers it.
    headers: { 'Auto-Submitted': 'auto-generated' }
  }
}
