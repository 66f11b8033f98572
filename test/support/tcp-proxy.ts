import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import type { Test } from 'tap'

export interface TcpProxy {
  readonly port: number
  /** Delays every answer by so many milliseconds from now on. */
  delay(ms: number): void
  /** Sends the server another text of the same length in place of this one. */
  replace(text: string, by: string): void
  /** Swallows everything in both directions, as a broken network does; `drop(false)` lets new bytes through again. */
  drop(isDropping?: boolean): void
  /** Breaks every connection with a TCP reset. */
  reset(): void
}

/** A TCP proxy on a free port of the loopback interface in front of `targetPort`. */
export async function tcpProxy(t: Pick<Test, 'teardown'>, targetPort: number): Promise<TcpProxy> {
  const sockets = new Set<Socket>()
  let delayMs = 0
  let isDropping = false
  let replaced: [text: string, by: string] | undefined

  const server = createServer((client) => {
    const target = connect(targetPort, '127.0.0.1')
    forward(client, target, () => 0, sent)
    forward(target, client, () => delayMs)
  })

  const sent = (chunk: Buffer) =>
    replaced === undefined ? chunk : Buffer.from(chunk.toString('latin1').replace(...replaced), 'latin1')

  function forward(from: Socket, to: Socket, delay: () => number, changed = (chunk: Buffer) => chunk): void {
    sockets.add(from)
    from.setNoDelay(true)
    from.on('data', (chunk) => {
      if (isDropping) return
      const ms = delay()
      if (ms === 0) to.write(changed(chunk))
      else setTimeout(() => to.write(chunk), ms).unref()
    })
    // The other side sees an error as the end of the connection.
    from.on('error', () => undefined)
    from.on('close', () => {
      sockets.delete(from)
      if (!isDropping) to.destroy()
    })
  }

  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    // A server that listens on a TCP port has an AddressInfo.
    port: (server.address() as AddressInfo).port,
    delay: (ms) => {
      delayMs = ms
    },
    replace: (text, by) => {
      replaced = [text, by]
    },
    drop: (value = true) => {
      isDropping = value
    },
    reset: () => {
      // Resetting a socket that is being shut down would leave its handle open for ever.
      for (const socket of sockets) socket.writableEnded ? socket.destroy() : socket.resetAndDestroy()
    }
  }
}
