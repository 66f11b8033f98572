import pg from 'pg'

/** The part of node-postgres' `Connection` and `Query` that is in none of their types. */
interface Wire {
  _send(data: Uint8Array): void
  execute(portal: { portal: string }): void
  sync(): void
}
interface Internals {
  handleCommandComplete(message: { text: string }, connection: Wire): void
}
type Callback = (error: Error | null) => void
const Query = pg.Query as unknown as new (config: pg.QueryConfig, callback: Callback) => Internals & pg.Submittable

/**
 * One statement and the COMMIT behind it, in one packet with one Sync: if the statement fails, the server skips the COMMIT
 * (PostgreSQL's message flow, "Extended Query", "Pipelining").
 */
export class CommittingQuery extends Query {
  /** How the COMMIT ended: also as `ROLLBACK`. */
  tag = ''

  constructor(config: pg.QueryConfig, callback: Callback) {
    super({ ...config, queryMode: 'extended' } as pg.QueryConfig, callback)
  }

  /** Called at the end of `prepare`. */
  _getRows(connection: Wire): void {
    connection.execute({ portal: '' })
    connection._send(COMMIT)
    connection.sync()
  }

  /** Nobody sees what a last statement returns, and a value that cannot be read would come too late. */
  handleDataRow(): void {}

  override handleCommandComplete(message: { text: string }): void {
    // The statement's own comes first.
    this.tag = message.text
  }
}

/** Parse, Bind and Execute of COMMIT, under no name. */
const COMMIT = Buffer.concat([
  message('P', '\0commit\0\0\0'),
  message('B', '\0\0\0\0\0\0\0\0'),
  message('E', '\0\0\0\0\0')
])

function message(type: string, content: string): Buffer {
  const bytes = Buffer.from(`${type}\0\0\0\0${content}`, 'latin1')
  bytes.writeInt32BE(4 + content.length, 1)
  return bytes
}
