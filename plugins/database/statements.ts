import type { CompiledQuery } from 'kysely'
import type { QueryConfig } from 'pg'

/** Beyond this many texts statements stay unnamed: each name costs memory on every connection of the server. */
const MAX_NAMES = 500

/**
 * Marks a compiled query whose best plan depends on its values: without a name the server plans it at each run. A
 * registered symbol, as for short reads.
 */
const REPLAN = Symbol.for('database.replan')

/** A query outside transactions: whoever compiled it may have marked it. */
export function toMarkedQuery(statements: Statements, query: CompiledQuery): QueryConfig {
  return (REPLAN in query ? unnamedStatements : statements).toQuery(query.sql, query.parameters)
}

/** Turns SQL and values into what node-postgres runs; parameterised texts get a name, so the server plans them once. */
export interface Statements {
  toQuery(sql: string, parameters: ReadonlyArray<unknown>): QueryConfig
  /** Gives every text a new name: the plans behind the old ones are stale. */
  rename(): void
}

export function namedStatements(): Statements {
  const names = new Map<string, string>()
  let generation = 0
  return {
    toQuery(sql, parameters) {
      if (parameters.length === 0) return { text: sql }
      const values = [...parameters]
      let name = names.get(sql)
      if (name === undefined) {
        if (names.size >= MAX_NAMES) return { text: sql, values }
        name = `s${generation}_${names.size}`
        names.set(sql, name)
      }
      return { name, text: sql, values }
    },
    rename() {
      generation++
      names.clear()
    }
  }
}

export const unnamedStatements: Statements = {
  toQuery: (sql, parameters) => (parameters.length === 0 ? { text: sql } : { text: sql, values: [...parameters] }),
  rename() {}
}
