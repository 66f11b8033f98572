import type { Compilable, CompiledQuery, Kysely } from 'kysely'

export interface CompiledOptions {
  /**
   * The query reads little, by key or index, and locks nothing: it may share a connection with others, which is
   * cheaper and needs no free one. It fails after 2 s. Default `false`.
   */
  shortRead?: boolean
  /**
   * Which plan is good depends on the values (a search): the server plans each run anew instead of settling for one.
   * It takes a fraction of a millisecond there. Default `false`.
   */
  replan?: boolean
}

export interface Compiled<DB, Values, Row> {
  execute(db: Kysely<DB>, values: Values): Promise<Row[]>
  executeTakeFirst(db: Kysely<DB>, values: Values): Promise<Row | undefined>
  /** @throws when there is no row: only for rows that must exist */
  executeTakeFirstOrThrow(db: Kysely<DB>, values: Values): Promise<Row>
}

/** Read by the database plugin; registered symbols, so that neither has to import the other. */
const SHORT_READ = Symbol.for('database.shortRead')
const REPLAN = Symbol.for('database.replan')

/** Stands for a value while the query is built. */
class Placeholder {
  readonly name: string
  constructor(name: string) {
    this.name = name
  }
}

/**
 * A Kysely query that is built once, at its first run, and bound to values at each: building costs several times
 * what binding does. One `compiled` is one SQL text, so `build` may use its values only as values, never to decide
 * (a list in `where in` is one value: `= any(…)`).
 *
 * @example
 * const selectTodo = compiled((db: Kysely<Database>, { id }: { id: number }) =>
 *   db.selectFrom('todos').select(['id', 'title']).where('id', '=', id)
 * )
 * await selectTodo.executeTakeFirst(db, { id: 1 })
 */
export function compiled<DB, Values extends object, Row>(
  build: (db: Kysely<DB>, values: Values) => Compilable<Row>,
  { shortRead = false, replan = false }: CompiledOptions = {}
): Compiled<DB, Values, Row> {
  let template: { query: CompiledQuery<Row>; bind: (values: Values) => unknown[] } | undefined

  async function run(db: Kysely<DB>, values: Values): Promise<Row[]> {
    template ??= compile(db)
    const { query, bind } = template
    const { rows } = await db.executeQuery<Row>({ ...query, parameters: bind(values) })
    return rows
  }

  function compile(db: Kysely<DB>) {
    // Any property of it is a placeholder: the query builder passes parameters on without looking at them.
    const placeholders = new Proxy({}, { get: (_, name) => new Placeholder(String(name)), ownKeys: refuse }) as Values
    const query = build(db, placeholders).compile()
    if (shortRead) assertShortRead(query)
    const marks = { ...(shortRead && { [SHORT_READ]: true }), ...(replan && { [REPLAN]: true }) }
    return { query: { ...query, ...marks }, bind: binder<Values>(query.parameters) }
  }

  return {
    execute: run,
    executeTakeFirst: async (db, values) => (await run(db, values))[0],
    async executeTakeFirstOrThrow(db, values) {
      const [row] = await run(db, values)
      if (row === undefined) throw new Error('The query returned no row')
      return row
    }
  }
}

/** Spread, or as a whole condition, they would be none: every row. */
function refuse(): never {
  throw new TypeError('A compiled query takes its values one by one, by their names')
}

function binder<Values extends object>(parameters: ReadonlyArray<unknown>): (values: Values) => unknown[] {
  return (values) =>
    parameters.map((parameter) => {
      if (!(parameter instanceof Placeholder)) return parameter
      // Placeholders are made from the names of `values`.
      const value = values[parameter.name as keyof Values]
      if (value === undefined) throw new TypeError(`The query needs a value for ${parameter.name}`)
      return value
    })
}

function assertShortRead({ query, sql }: CompiledQuery): void {
  const isPlainSelect = query.kind === 'SelectQueryNode' && !query.endModifiers?.length
  if (!isPlainSelect) throw new Error(`Not a short read, it writes or locks: ${sql}`)
}
