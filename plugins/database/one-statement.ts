import {
  type CompiledQuery,
  DefaultQueryExecutor,
  type Dialect,
  type Driver,
  type QueryResult,
  Transaction
} from 'kysely'
import { NotOneStatement, TransactionOver } from './errors.ts'
import type { RunSingle } from './executor.ts'
import type { Companion, Tables } from './types.ts'

/** Beyond this many texts they are put together anew each time. */
const MAX_TEXTS = 500

/** Runs the work that is given the handle of one statement. */
export type OneStatement = <T>(
  run: RunSingle,
  companions: readonly Companion[],
  work: (trx: Transaction<Tables>) => Promise<T>
) => Promise<T>

/**
 * Lets some work run one statement that writes and no other, together with its companions. Its handle is a transaction to
 * the compiler: what is written through it is in one.
 */
export function oneStatementOf(dialect: Dialect, driver: Driver): OneStatement {
  const compiler = dialect.createQueryCompiler()
  const adapter = dialect.createAdapter()
  const join = joiner()
  // Streams and queries with plugins have no other way than this.
  const provider = { provideConnection: () => Promise.reject(new NotOneStatement()) }

  class Executor extends DefaultQueryExecutor {
    readonly #run: (query: CompiledQuery) => Promise<QueryResult<unknown>>
    result: Promise<QueryResult<unknown>> | undefined
    isOver = false

    constructor(run: (query: CompiledQuery) => Promise<QueryResult<unknown>>) {
      super(compiler, adapter, provider)
      this.#run = run
    }

    override async executeQuery<R>(query: CompiledQuery, options?: { signal?: AbortSignal }): Promise<QueryResult<R>> {
      if (this.result !== undefined || !isWrite(query) || options?.signal) throw new NotOneStatement()
      if (this.isOver) throw new TransactionOver()
      this.result = this.#run(query)
      this.result.catch(() => {}) // Told below.
      // The rows are what the type of the query says, as anywhere in Kysely.
      return (await this.result) as QueryResult<R>
    }
  }

  return async (run, companions, work) => {
    const executor = new Executor(async (query) => {
      if (companions.length === 0) return run(query)
      const { rows } = await run(join(query, companions))
      return { rows, numAffectedRows: BigInt(rows.length) }
    })
    let result: Awaited<ReturnType<typeof work>>
    try {
      result = await work(new Transaction<Tables>({ config: { dialect }, dialect, driver, executor }))
    } catch (error) {
      await executor.result?.catch(() => {})
      throw error
    } finally {
      executor.isOver = true
    }
    // Work that did not wait for it, or swallowed its error, learns of it here.
    await (executor.result ?? Promise.reject(new NotOneStatement()))
    return result
  }
}

const WRITES = new Set<string>(['InsertQueryNode', 'UpdateQueryNode', 'DeleteQueryNode', 'MergeQueryNode'])
const WRITE = /^\s*(insert|update|delete|merge)\b[^;]*$/i

const isWrite = ({ query, sql }: CompiledQuery) => (query.kind === 'RawNode' ? WRITE.test(sql) : WRITES.has(query.kind))

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
    const text = `with written as (${main}\n)${others.join('')} select * from written`
    if (count < MAX_TEXTS) {
      count++
      texts.set(main, (texts.get(main) ?? new Map()).set(key, text))
    }
    return text
  }

  return ({ query, queryId, sql, parameters }: CompiledQuery, companions: readonly Companion[]): CompiledQuery => ({
    query,
    queryId,
    sql: textOf(sql, parameters.length, companions),
    parameters: [...parameters, ...companions.flatMap(({ parameters }) => parameters)]
  })
}
