import { createHash } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type {} from '../metrics/index.ts'
import { parseSender } from './address.ts'
import { MailFailed, MailInvalid, MailRefused } from './errors.ts'
import { type FolderOptions, folderTransport } from './folder.ts'
import { compose, type Message } from './message.ts'
import { type SmtpOptions, smtpTransport } from './smtp.ts'

export interface MailOptions {
  /** `name@host` or `Name <name@host>`. */
  from: string
  /** The server that mails are handed to. */
  smtp?: SmtpOptions
  /** Instead of a server, for development: a folder that mails are written into. */
  files?: FolderOptions
}

export interface Mail {
  /** `false` without a server and a folder: then nothing is sent. */
  isOn: boolean
  /**
   * Sends one mail; to be called from a job, never while somebody waits for an answer. Resolves to its Message-ID once
   * the server has taken it.
   *
   * @throws MailInvalid | MailRefused | MailFailed
   */
  send(message: Message): Promise<string>
}

declare module 'fastify' {
  interface FastifyInstance {
    mail: Mail
  }
}

async function mail(app: FastifyInstance, { from, smtp, files }: MailOptions): Promise<void> {
  const sender = parseSender(from ?? '')
  if (sender === null) throw new Error('mail: from must be like no-reply@example.com or Name <no-reply@example.com>')
  if (smtp && files) throw new Error('mail: smtp and files exclude each other')
  const transport = smtp ? smtpTransport(smtp) : files && folderTransport(files)
  if (transport === undefined) app.log.warn('no mail is sent: there is neither a mail server nor a folder')
  const sent = app.hasDecorator('metrics')
    ? app.metrics.counter('mail_sent_total', 'Mails handed over, or not', ['outcome'])
    : undefined

  app.decorate('mail', {
    isOn: transport !== undefined,
    async send(message) {
      const letter = compose(sender, message)
      const about = { subject: letter.subject, recipient: digest(letter.to.address), message_id: letter.messageId }
      if (transport === undefined) throw new MailFailed('there is neither a mail server nor a folder')
      try {
        const where = await transport.send(letter)
        app.log.info({ ...about, ...where }, 'mail sent')
        sent?.inc({ outcome: 'sent' })
        return letter.messageId
      } catch (error) {
        app.log.warn({ ...about, err: error }, 'mail not sent')
        sent?.inc({ outcome: error instanceof MailRefused ? 'refused' : 'failed' })
        throw error
      }
    }
  })
  app.addHook('onClose', () => transport?.close())
}

/** Tells lines about one recipient from others, without the address. */
const digest = (address: string) => createHash('sha256').update(address.toLowerCase()).digest('hex').slice(0, 12)

export const mailPlugin = fp(mail, { name: 'mail', fastify: '5.x' })
export default mailPlugin
export { html, type Markup } from './html.ts'
export type { FolderOptions, Message, SmtpOptions }
export { MailFailed, MailInvalid, MailRefused }
