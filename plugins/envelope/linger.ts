import { Socket } from 'node:net'

/** How long a refused connection is still read from, so that the answer is not lost to a reset. */
const LINGER_MS = 1_000

/** Ends a connection, at the latest after a second, and reads until then what the client still sends. */
export function endLingering(socket: Socket, lastWords = ''): void {
  socket.end(lastWords)
  const timer = setTimeout(() => socket.destroy(), LINGER_MS).unref()
  socket.once('close', () => clearTimeout(timer))
}

/**
 * Has Node end a connection like that, once the answer is written, instead of closing it over a body that is still on its way:
 * a client that is cut off while it sends may never see the answer (RFC 9112 §9.6).
 */
export function lingerAfterAnswer(socket: unknown): void {
  // `inject()` has none.
  if (!(socket instanceof Socket)) return
  socket.destroySoon = () => {
    // Of what still comes nothing is a request: it is taken from the parser, and dropped.
    socket.removeAllListeners('data').on('data', () => {})
    endLingering(socket)
  }
}
