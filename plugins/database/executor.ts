import { AsyncLocalStorage } from 'node:async_hooks'
import {
  type CompiledQuery,
  type ConnectionProvider,
  type DatabaseConnection,
  DefaultQueryExecutor,
  type Dialect,
  type KyselyPlugin,
  type QueryResult,
  type Transaction
} from 'kysely'
import { InsideTransaction, TransactionOver } from './errors.ts'
import type { Tables } from './types.ts'

/** What the code of one transaction shares, through its asynchronous context. */
export interface Scope {
  /** `held`: its connection is taken. `over`: the work has settled, COMMIT or ROLLBACK follows. `released`: none of it is left. */
  state: 'held' | 'over' | 'released'
  trx?: Transaction<Tables>
  /** Goes with the COMMIT. */
  last?: CompiledQuery | undefined
}

export type Scopes = AsyncLocalStorage<Scope>
export const createScopes = (): Scopes => new AsyncLocalStorage<Scope>()

export type RunSingle = (query: CompiledQuery) => Promise<QueryResult<unknown>>

/** Whether this code runs while a connection is held for it. */
export function isInside(scopes: Scopes): boolean {
  const scope = scopes.getStore()
  return scope !== undefined && scope.state !== 'released'
}

type Provide = ConnectionProvider['provideConnection']
type Options = Parameters<Provide>[1]

interface Parts {
  dialect: Dialect
  provider: ConnectionProvider
  scopes: Scopes
  /** Runs one statement outside transactions by a shorter way than `provider`. */
  runSingle: RunSingle
}

/**
 * Kysely's executor with a guard: who holds a connection (a transaction, `db.connection()`) may not ask for a second
 * one through `db`. On the embedded database that would wait for itself for ever, on PostgreSQL it runs outside the
 * transaction and empties the pool under load; both reject instead.
 */
export class DatabaseExecutor extends DefaultQueryExecutor {
  readonly #parts: Parts

  constructor(parts: Parts, plugins: ReadonlyArray<KyselyPlugin> = []) {
    super(parts.dialect.createQueryCompiler(), parts.dialect.createAdapter(), parts.provider, [...plugins])
    this.#parts = parts
  }

  override executeQuery<R>(query: CompiledQuery, options?: Options): Promise<QueryResult<R>> {
    const { scopes, runSingle } = this.#parts
    if (isInside(scopes)) return Promise.reject(new InsideTransaction())
    // Plugins transform results and signals cancel: Kysely's own way does both.
    if (this.plugins.length > 0 || options?.signal) return super.executeQuery(query, options)
    // The rows are what the query's type says, as anywhere in Kysely.
    return runSingle(query) as Promise<QueryResult<R>>
  }

  override async provideConnection<T>(
    consumer: (connection: DatabaseConnection) => Promise<T>,
    options?: Options
  ): Promise<T> {
    const { scopes } = this.#parts
    if (isInside(scopes)) throw new InsideTransaction()
    const scope: Scope = { state: 'held' }
    try {
      return await scopes.run(scope, () => super.provideConnection(consumer, options))
    } finally {
      scope.state = 'released'
    }
  }

  /**
   * Kysely calls this when a transaction begins. Its statements queue for the one connection; once the work has
   * settled none may leave that queue any more, or it would run after the ROLLBACK and be committed on its own.
   */
  override withConnectionProvider(provider: ConnectionProvider): DefaultQueryExecutor {
    const scope = this.#parts.scopes.getStore()
    const guarded: ConnectionProvider = {
      provideConnection: (consumer, options) =>
        provider.provideConnection(async (connection) => {
          if (scope?.state === 'over') throw new TransactionOver()
          return consumer(connection)
        }, options)
    }
    return super.withConnectionProvider(guarded)
  }

  override withPlugins(plugins: ReadonlyArray<KyselyPlugin>): DatabaseExecutor {
    return new DatabaseExecutor(this.#parts, [...this.plugins, ...plugins])
  }

  override withPlugin(plugin: KyselyPlugin): DatabaseExecutor {
    return new DatabaseExecutor(this.#parts, [...this.plugins, plugin])
  }

  override withPluginAtFront(plugin: KyselyPlugin): DatabaseExecutor {
    return new DatabaseExecutor(this.#parts, [plugin, ...this.plugins])
  }

  override withoutPlugins(): DatabaseExecutor {
    return new DatabaseExecutor(this.#parts)
  }
}
