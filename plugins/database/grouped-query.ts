import pg from 'pg'

/** What travels with a statement. */
export interface Group {
  begin: boolean
  commit: boolean
}

/** The part of node-postgres' `Connection` and `Query` that is in none of their types. */
interface Wire {
  stream: { write(data: Uint8Array): void }
  submittedNamedStatements: Record<string, string>
  parse(statement: { name: string; text: string }): void
  execute(portal: { portal: string }): void
  sync(): void
}
interface Internals {
  name?: string
  text: string
  hasBeenParsed(connection: Wire): boolean
  prepare(connection: Wire): void
  handleDataRow(message: object): void
  handleCommandComplete(message: { text: string }, connection: Wire): void
}
type Callback = (error: Error | null, result: pg.QueryResult | pg.QueryResult[]) => void
const Query = pg.Query as unknown as new (config: pg.QueryConfig, callback: Callback) => Internals & pg.Submittable

/**
 * A statement with the BEGIN before it, the COMMIT after it, or both, in one packet that ends with the only Sync: if one
 * of them fails, the server skips the rest of the group (PostgreSQL's message flow, "Extended Query", "Pipelining"). Without
 * values the text may hold several statements, which only the simple protocol takes; there a BEGIN is one of them.
 */
export class GroupedQuery extends Query {
  /** Read by node-postgres; there are two statements to wait for. */
  readonly query_timeout: number | undefined
  /** Whether the BEGIN, if there is one, took effect. */
  isBegun: boolean
  /** How the COMMIT ended: also as `ROLLBACK`. */
  commitTag: string | undefined
  readonly #group: Group
  #isDone = false

  constructor(config: pg.QueryConfig, group: Group, timeoutMs: number | undefined, callback: Callback) {
    const isSimple = config.values === undefined && !group.commit
    super(
      isSimple ? { text: `begin; ${config.text}` } : ({ ...config, queryMode: 'extended' } as pg.QueryConfig),
      callback
    )
    this.#group = group
    this.query_timeout = timeoutMs
    this.isBegun = !group.begin
  }

  override prepare(connection: Wire): void {
    if (this.#group.begin) {
      // node-postgres takes the first statement that is parsed for the one with the name.
      if (this.name !== undefined && !this.hasBeenParsed(connection)) {
        connection.parse({ name: this.name, text: this.text })
        connection.submittedNamedStatements[this.name] = this.text
      }
      connection.stream.write(BEGIN)
    }
    super.prepare(connection)
  }

  /** Called by `prepare` at its end. */
  _getRows(connection: Wire): void {
    connection.execute({ portal: '' })
    if (this.#group.commit) connection.stream.write(COMMIT)
    connection.sync()
  }

  override handleDataRow(message: object): void {
    // Nobody sees what a last statement returns, and a value that cannot be read would come too late.
    if (!this.#group.commit) super.handleDataRow(message)
  }

  override handleCommandComplete(message: { text: string }, connection: Wire): void {
    if (!this.isBegun) {
      this.isBegun = true
    } else if (this.#group.commit && this.#isDone) {
      this.commitTag = message.text
    } else {
      this.#isDone = true
      super.handleCommandComplete(message, connection)
    }
  }
}

const BEGIN = statement('begin')
const COMMIT = statement('commit')

/** Parse, Bind and Execute of a text without values, under no name. */
function statement(text: string): Buffer {
  const none = Buffer.alloc(2)
  const unnamed = Buffer.alloc(1)
  return Buffer.concat([
    message('P', unnamed, Buffer.from(`${text}\0`), none),
    message('B', unnamed, unnamed, none, none, none),
    message('E', unnamed, Buffer.alloc(4))
  ])
}

function message(type: string, ...parts: Buffer[]): Buffer {
  const content = Buffer.concat(parts)
  const head = Buffer.alloc(5)
  head.write(type)
  head.writeInt32BE(content.length + 4, 1)
  return Buffer.concat([head, content])
}
