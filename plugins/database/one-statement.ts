import {
  type CompiledQuery,
  DefaultQueryExecutor,
  type Dialect,
  type Driver,
  type Kysely,
  type QueryResult,
  Transaction
} from 'kysely'
import { MoreThanOneStatement } from './errors.ts'
import type { Companion, Tables } from './types.ts'

/** Beyond this many texts they are put together anew each time. */
const MAX_TEXTS = 500

/**
 * Makes handles that run one statement and no more, together with its companions. They are transactions to the compiler:
 * what is written through them is in one.
 */
export function oneStatementHandles(dialect: Dialect, driver: Driver) {
  const compiler = dialect.createQueryCompiler()
  const adapter = dialect.createAdapter()
  const join = joiner()
  // Streams, connections and queries with plugins have no other way than this.
  const provider = { provideConnection: () => Promise.reject(new MoreThanOneStatement()) }

  class OneStatement extends DefaultQueryExecutor {
    readonly #db: Kysely<Tables>
    readonly #companions: readonly Companion[]
    #isSpent = false

    constructor(db: Kysely<Tables>, companions: readonly Companion[]) {
      super(compiler, adapter, provider)
      this.#db = db
      this.#companions = companions
    }

    override async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
      if (this.#isSpent) throw new MoreThanOneStatement()
      this.#isSpent = true
      if (this.#companions.length === 0) return this.#db.getExecutor().executeQuery<R>(query)
      const { rows } = await this.#db.getExecutor().executeQuery<R>(join(query, this.#companions))
      return { rows, numAffectedRows: BigInt(rows.length) }
    }
  }

  return (db: Kysely<Tables>, companions: readonly Companion[]) =>
    new Transaction<Tables>({ config: { dialect }, dialect, driver, executor: new OneStatement(db, companions) })
}

/**
 * The statement as `written` and each companion behind it, in one statement of PostgreSQL ("Data-Modifying Statements in
 * WITH"): they take effect together or not at all.
 */
function joiner() {
  const texts = new Map<string, Map<string, string>>()
  let count = 0

  function textOf(main: string, offset: number, companions: readonly Companion[]): string {
    const key = companions.map(({ sql }) => sql).join('\n')
    const known = texts.get(main)?.get(key)
    if (known !== undefined) return known
    let first = offset
    const others = companions.map(({ sql, parameters }, index) => {
      const shift = first
      first += parameters.length
      return `, companion_${index} as (${sql.replace(/\$(\d+)/g, (_, place) => `$${shift + Number(place)}`)})`
    })
    const text = `with written as (${main})${others.join('')} select * from written`
    if (count < MAX_TEXTS) {
      count++
      texts.set(main, (texts.get(main) ?? new Map()).set(key, text))
    }
    return text
  }

  return (query: CompiledQuery, companions: readonly Companion[]): CompiledQuery => ({
    ...query,
    sql: textOf(query.sql, query.parameters.length, companions),
    parameters: [...query.parameters, ...companions.flatMap(({ parameters }) => parameters)]
  })
}
