import { once } from 'node:events'
import { buffer } from 'node:stream/consumers'
import PostalMime, { type Email } from 'postal-mime'
import { SMTPServer, type SMTPServerOptions } from 'smtp-server'
import type { Test } from 'tap'

export interface Delivered {
  /** Whom the server was told it is for, whatever its headers say. */
  recipients: string[]
  mail: Email
}

export interface Mailbox {
  url: string
  /** In the order of their arrival. */
  delivered: Delivered[]
  /** Resolves to the next mail to this address that was not asked for before. */
  next(address: string): Promise<Email>
}

/**
 * A real mail server on a free port, without TLS unless `options` say otherwise; closed at teardown. Of the first mails,
 * `failures` are taken in and then not acknowledged.
 */
export async function startMailbox(t: Test, options: SMTPServerOptions = {}, failures = 0): Promise<Mailbox> {
  const delivered: Delivered[] = []
  const taken = new Set<Delivered>()
  const waiting = new Set<() => void>()
  const server = new SMTPServer({
    disabledCommands: ['AUTH', 'STARTTLS'],
    logger: false,
    disableReverseLookup: true,
    onData(stream, session, done) {
      async function take() {
        const mail = await PostalMime.parse(await buffer(stream))
        delivered.push({ recipients: session.envelope.rcptTo.map(({ address }) => address), mail })
        for (const look of waiting) look()
      }
      const failure = Object.assign(new Error('Try again'), { responseCode: 451 })
      take().then(() => done(delivered.length <= failures ? failure : null), done)
    },
    ...options
  })
  // A client that breaks off is no fault of the server's.
  server.on('error', () => undefined)
  server.listen(0, '127.0.0.1')
  await once(server.server, 'listening')
  t.teardown(() => new Promise<void>((resolve) => server.close(resolve)))
  // A TCP server's address is never a string.
  const { port } = server.server.address() as { port: number }

  return {
    url: `smtp://127.0.0.1:${port}`,
    delivered,
    next(address) {
      const { promise, resolve, reject } = Promise.withResolvers<Email>()
      const timer = setTimeout(() => {
        waiting.delete(look)
        reject(new Error(`no mail to ${address}`))
      }, 45_000)
      function look() {
        const found = delivered.find((one) => !taken.has(one) && one.recipients.includes(address))
        if (found === undefined) return
        taken.add(found)
        waiting.delete(look)
        clearTimeout(timer)
        resolve(found.mail)
      }
      waiting.add(look)
      look()
      return promise
    }
  }
}

/** The token in the link of a mail. */
export const tokenOf = ({ text = '' }: Email) => /#token=([\w-]+)/.exec(text)?.[1] ?? ''
