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
  handleCommandComplete(message: { text: string }, connection: Wire): void
}
type Callback = (error: Error | null, result: pg.QueryResult) => void
const Query = pg.Query as unknown as new (config: pg.QueryConfig, callback: Callback) => Internals & pg.Submittable

/**
 * A statement with the BEGIN before it, the COMMIT after it, or both, in one packet that ends with the only Sync: if one
 * of them fails, the server skips the rest of the group (PostgreSQL's message flow, "Extended Query", "Pipelining").
 */
export class GroupedQuery extends Query {
  readonly #group: Group
  #isBegun: boolean
  #isDone = false

  constructor(config: pg.QueryConfig, group: Group, callback: Callback) {
    super({ ...config, queryMode: 'extended' } as pg.QueryConfig, callback)
    this.#group = group
    this.#isBegun = !group.begin
  }

  /** Whether a BEGIN that failed is the reason of the failure. */
  get isBegun(): boolean {
    return this.#isBegun
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

  override handleCommandComplete(message: { text: string }, connection: Wire): void {
    if (!this.#isBegun) {
      this.#isBegun = true
    } else if (!this.#isDone) {
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
