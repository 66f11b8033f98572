import type { QueryResult } from 'kysely'
import pg from 'pg'
import type { Echo } from './backend.ts'
import { acquireError, isConnectionLost, statementError } from './connection-errors.ts'
import { type Deadline, LATE } from './deadline.ts'
import type { RunSingle } from './executor.ts'
import { runQuery } from './named-query.ts'
import { retryStale, toResult } from './pool.ts'
import type { Statements } from './statements.ts'

/** A graceful goodbye may take this long; a frozen server never answers one. */
const GOODBYE_MS = 1000

export interface ReadersOptions {
  config: pg.ClientConfig
  count: number
  recycleMs: number
  statements: Statements
  echo: Echo | undefined
  inTime: Deadline
}

export interface Readers {
  run: RunSingle
  close(): Promise<void>
}

interface Slot {
  client?: pg.Client | undefined
  connecting?: Promise<pg.Client> | undefined
  /** Statements on the wire. */
  busy: number
  isCorked: boolean
}

/**
 * A few connections that everybody shares: each statement is sent at once, behind those still running (pipelining), so
 * no one waits for a free connection and many statements share one packet. A slow one holds up those behind it:
 * only short reads belong here.
 */
export function openReaders({ config, count, recycleMs, statements, echo, inTime }: ReadersOptions): Readers {
  const slots = Array.from({ length: count }, (): Slot => ({ busy: 0, isCorked: false }))
  let isClosed = false

  function connect(slot: Slot): Promise<pg.Client> {
    slot.connecting ??= open(slot).finally(() => {
      slot.connecting = undefined
    })
    return slot.connecting
  }

  async function open(slot: Slot): Promise<pg.Client> {
    const client = new pg.Client({ ...config, pipeline: true })
    const forget = () => {
      if (slot.client === client) slot.client = undefined
    }
    // Its statements fail on their own; without a listener the event would end the process.
    client.on('error', forget)
    client.on('end', forget)
    await client.connect().catch((error: Error) => Promise.reject(acquireError(error)))
    if (isClosed) {
      void sayGoodbye(client)
      throw acquireError(new Error('The database was closed'))
    }
    const recycle = setTimeout(() => {
      forget()
      void sayGoodbye(client)
    }, recycleMs).unref()
    client.on('end', () => clearTimeout(recycle))
    slot.client = client
    return client
  }

  function send(slot: Slot, client: pg.Client, sql: string, parameters: ReadonlyArray<unknown>) {
    return new Promise<QueryResult<unknown>>((resolve, reject) => {
      const startedAt = performance.now()
      slot.busy++
      cork(slot, client)
      const answer = inTime<pg.QueryResult>((error, result) => {
        slot.busy--
        echo?.(sql, startedAt)
        if (error === null) return resolve(toResult(result))
        if (isConnectionLost(error) && slot.client === client) slot.client = undefined
        // Whatever is behind it comes no earlier.
        if (error.message === LATE) client.connection.stream.destroy()
        reject(statementError(error))
      })
      runQuery(client, statements.toQuery(sql, parameters), answer)
    })
  }

  const run: RunSingle = ({ sql, parameters }) => {
    const slot = slots.reduce((least, next) => (next.busy < least.busy ? next : least))
    if (slot.client !== undefined) return send(slot, slot.client, sql, parameters)
    return connect(slot).then((client) => send(slot, client, sql, parameters))
  }

  return {
    run: (query) => run(query).catch((error) => retryStale(error, statements, () => run(query))),
    async close() {
      isClosed = true
      await Promise.all(slots.map(({ client }) => client && sayGoodbye(client)))
    }
  }
}

/** What one turn of the event loop sends leaves in one packet. */
function cork(slot: Slot, { connection: { stream } }: pg.Client): void {
  if (slot.isCorked) return
  slot.isCorked = true
  stream.cork()
  process.nextTick(() => {
    slot.isCorked = false
    stream.uncork()
  })
}

/** Ends `client` once its statements are answered, by force if that takes too long. */
async function sayGoodbye(client: pg.Client): Promise<void> {
  const force = setTimeout(() => client.connection.stream.destroy(), GOODBYE_MS)
  await client.end()
  clearTimeout(force)
}
