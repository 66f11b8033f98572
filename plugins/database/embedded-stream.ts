import { Duplex } from 'node:stream'
import type { PGlite } from '@electric-sql/pglite'

type Done = (error?: Error | null) => void

/** The first byte of the message that ends a session. The embedded server takes it for its own end. */
const TERMINATE = 'X'.charCodeAt(0)
/** Of the message that begins one: it has no type, and its length is below 2^24. */
const STARTUP = 0

/**
 * The embedded server in place of a socket, for one session of node-postgres. What the client writes in one turn (Parse, Bind,
 * Describe, Execute, Sync) is one call.
 */
export class EmbeddedStream extends Duplex {
  readonly #server: PGlite

  constructor(server: PGlite) {
    super()
    this.#server = server
  }

  connect(): void {
    process.nextTick(() => this.emit('connect'))
  }

  // What node-postgres asks of a socket beyond a stream.
  setNoDelay(): void {}
  setKeepAlive(): void {}
  ref(): void {}
  unref(): void {}

  override _read(): void {}

  override _write(message: Buffer, _encoding: BufferEncoding, done: Done): void {
    this.#send(message).then(() => done(), done)
  }

  override _writev(messages: Array<{ chunk: Buffer }>, done: Done): void {
    this._write(Buffer.concat(messages.map(({ chunk }) => chunk)), 'binary', done)
  }

  override _final(done: Done): void {
    this.push(null)
    done()
  }

  async #send(message: Buffer): Promise<void> {
    if (message[0] === TERMINATE) return
    if (message[0] === STARTUP) await this.#forget()
    this.push(await this.#server.execProtocolRaw(message))
  }

  /** What a session leaves behind, a server forgets when it ends: an open transaction, statements, settings. */
  async #forget(): Promise<void> {
    await this.#server.execProtocolRaw(simpleQuery('rollback'))
    await this.#server.execProtocolRaw(simpleQuery('discard all'))
  }
}

function simpleQuery(sql: string): Buffer {
  const message = Buffer.from(`Q\0\0\0\0${sql}\0`, 'latin1')
  message.writeInt32BE(message.length - 1, 1)
  return message
}
