import type { ConnectionOptions } from 'node:tls'
import { createTransport } from 'nodemailer'
import { MailFailed, MailRefused } from './errors.ts'
import { parseSmtpUrl } from './smtp-url.ts'
import type { Transport } from './transport.ts'

export interface SmtpOptions {
  /**
   * `smtp://user:password@host:587`, or `smtps://` for TLS from the start (port 465). With `smtp:` TLS begins when the
   * server offers STARTTLS, and has to where there is a password to protect.
   */
  url: string
  /** E.g. `ca`, for a server whose certificate a private authority has signed. */
  tls?: ConnectionOptions
  /** Connections at once; further mails wait. Default 5. */
  maxConnections?: number
  /** To resolve the name of the server. Default 5000. */
  dnsTimeoutMs?: number
  /** To connect. Default 10 000. */
  connectTimeoutMs?: number
  /** Until the server greets. Default 10 000. */
  greetingTimeoutMs?: number
  /** Silence of the server while it is spoken to. Default 20 000. */
  idleTimeoutMs?: number
}

/** Connections serve one mail after the other, and are closed when there was none for `idleTimeoutMs`. */
export function smtpTransport(options: SmtpOptions): Transport {
  const {
    maxConnections = 5,
    dnsTimeoutMs = 5000,
    connectTimeoutMs = 10_000,
    greetingTimeoutMs = 10_000,
    idleTimeoutMs = 20_000
  } = options
  const { isSecure, user, pass, ...server } = parseSmtpUrl(options.url)
  const transporter = createTransport({
    ...server,
    pool: true,
    maxConnections,
    secure: isSecure,
    requireTLS: !isSecure && user !== '',
    ...(user !== '' && { auth: { user, pass } }),
    ...(options.tls && { tls: options.tls }),
    dnsTimeout: dnsTimeoutMs,
    connectionTimeout: connectTimeoutMs,
    greetingTimeout: greetingTimeoutMs,
    socketTimeout: idleTimeoutMs,
    maxResponseSize: 65_536,
    disableFileAccess: true,
    disableUrlAccess: true
  })

  return {
    async send(letter) {
      const { address } = letter.to
      try {
        await transporter.sendMail({ ...letter, envelope: { from: letter.from.address, to: [address] } })
        return { server: server.host }
      } catch (error) {
        throw translate(error, address)
      }
    },
    close: () => transporter.close()
  }
}

/** A link, or a part of one that still has its token. */
const LONG_WORD = /\S{20,}/g

/** What the server said stays, for the log; whom the mail was for, and what it quotes of the mail, do not. */
function translate(error: unknown, address: string): Error {
  const { code, command, responseCode, response, message } = Object(error)
  const said = String(response ?? message ?? code ?? 'unknown').replaceAll(address, '<recipient>')
  const quoted = response === undefined ? said : said.replaceAll(LONG_WORD, '<…>')
  const text = quoted.replaceAll(/\p{Cc}+/gu, ' ').slice(0, 300)
  if (code === 'EENVELOPE' && responseCode >= 500 && /^RCPT/i.test(String(command))) return new MailRefused(text)
  return new MailFailed(text)
}
