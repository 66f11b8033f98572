import pg from 'pg'
import type { Deadline } from './deadline.ts'

/** All that is looked at of a config. */
type Config = Pick<pg.QueryConfig, 'name' | 'text' | 'values'>
interface NamedConfig extends Config {
  name: string
}
type Callback = (error: Error | null, result: pg.QueryResult) => void

/** The parts of node-postgres that are in none of its types. */
interface Wire {
  /** Does nothing once the other side has said goodbye: that fails what waits by itself. */
  _send(data: Uint8Array): void
  describe(): void
  execute(): void
  sync(): void
}
interface Rows {
  fields: unknown[]
  _parsers: unknown
  _prebuiltEmptyResultObject: unknown
}
interface Internals {
  name: string
  _result: Rows
  _accumulateRows: boolean
  prepare(connection: Wire): void
  handleCommandComplete(message: unknown, connection: Wire): void
}
const Query = pg.Query as unknown as new (
  text: string,
  values: unknown,
  callback: Callback
) => Internals & pg.Submittable

/** Sends Execute and Sync as one piece, and no Describe. */
interface Known {
  wire: Wire
  /** By the name of a statement: how its rows are read. */
  rows: Map<string, Rows>
}

const known = new WeakMap<Wire, Known>()

/**
 * A named statement that is described once for each connection and not at each run: the server refuses to run it when its rows
 * would be other ones ("cached plan must not change result type"), and then it gets a new name.
 */
export class NamedQuery extends Query {
  #isDescribed = false

  constructor({ name, text, values }: NamedConfig, callback: Callback) {
    super(text, values, callback)
    this.name = name
  }

  override prepare(connection: Wire): void {
    const { rows, wire } = knownOf(connection)
    const described = rows.get(this.name)
    if (described !== undefined) {
      this.#isDescribed = true
      this._result.fields = described.fields
      this._result._parsers = described._parsers
      this._result._prebuiltEmptyResultObject = described._prebuiltEmptyResultObject
      this._accumulateRows = true
    }
    super.prepare(this.#isDescribed ? wire : connection)
  }

  override handleCommandComplete(message: unknown, connection: Wire): void {
    if (!this.#isDescribed) {
      // Of what returns no rows the server has said so.
      const { fields, _parsers, _prebuiltEmptyResultObject } = this._result
      knownOf(connection).rows.set(this.name, { fields, _parsers, _prebuiltEmptyResultObject })
    }
    super.handleCommandComplete(message, connection)
  }
}

/** Runs `config` on `client`, by the shortest way that there is for it. */
export function runQuery(client: pg.ClientBase, config: Config, callback: Callback): void {
  if (isNamed(config)) client.query(new NamedQuery(config, callback))
  // Of a config node-postgres would make a copy, property by property.
  else client.query(new Query(config.text, config.values, callback))
}

/** The same, as a promise. */
export function ask(client: pg.ClientBase, config: Config, inTime: Deadline): Promise<pg.QueryResult> {
  return new Promise((resolve, reject) => {
    const answer = inTime<pg.QueryResult>((error, result) => (error === null ? resolve(result) : reject(error)))
    runQuery(client, config, answer)
  })
}

const isNamed = (config: Config): config is NamedConfig => config.name !== undefined

function knownOf(connection: Wire): Known {
  let found = known.get(connection)
  if (found === undefined) {
    let isDue = false
    const wire: Wire = Object.create(connection, {
      describe: { value: () => {} },
      execute: {
        value: () => {
          isDue = true
        }
      },
      sync: {
        value: () => {
          if (isDue) connection._send(EXECUTE_AND_SYNC)
          else connection.sync()
          isDue = false
        }
      }
    })
    found = { wire, rows: new Map() }
    known.set(connection, found)
  }
  return found
}

const EXECUTE_AND_SYNC = Buffer.from('E\0\0\0\x09\0\0\0\0\0S\0\0\0\x04', 'latin1')
