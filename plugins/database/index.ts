import type { FastifyInstance, FastifyRequest, RouteOptions } from 'fastify'
import fp from 'fastify-plugin'
import type { Kysely, Transaction } from 'kysely'
import type {} from '../health/index.ts'
import type {} from '../metrics/index.ts'
import { OutsideTransaction } from './errors.ts'
import { openDatabase } from './open.ts'
import type {
  Answer,
  Companion,
  DatabaseOptions,
  OpenDatabase,
  Participant,
  Tables,
  TransactionResult
} from './types.ts'

export { DatabaseBusy, DatabaseUnavailable, TransactionTimeout } from './errors.ts'
export { openDatabase } from './open.ts'
export * from './types.ts'

export type DatabasePluginOptions = {
  /** Throw, not just log, when a route that declares `audit` or `idempotent` goes round `request.transaction` and `request.write`. Default `false`. */
  strict?: boolean
} & ({ /** Opened by the caller, who closes it. */ database: OpenDatabase } | DatabaseOptions)

/** What participants would read of the result of a transaction, they do not see here. */
type WriteAnswer<S extends number, B> = Answer<S, B> & {
  [Name in Exclude<keyof TransactionResult, keyof Answer>]?: never
}

declare module 'fastify' {
  interface FastifyInstance {
    db: Kysely<Tables>
    database: OpenDatabase & { participate(participant: Participant): void }
  }
  interface FastifyRequest {
    /** One transaction for all effects of this request, with every participant in it. */
    transaction<const R extends TransactionResult>(fn: (trx: Transaction<Tables>) => Promise<R>): Promise<R>
    /**
     * The same for a change of one statement, in one round trip: `change` runs one INSERT, UPDATE or DELETE that returns one
     * row at most, its public id as `id`. `answer` makes the answer of that row, and is too late to undo it. Where there is no
     * row, nothing was done and nothing recorded, and the result is `undefined`.
     */
    write<Row extends { id: unknown } | null | undefined, const S extends number, B>(
      change: (trx: Transaction<Tables>) => Promise<Row>,
      answer: (row: NonNullable<Row>) => WriteAnswer<S, B>
    ): Promise<Answer<S, B> | (Row extends null | undefined ? undefined : never)>
  }
}

async function database(app: FastifyInstance, options: DatabasePluginOptions): Promise<void> {
  const opened = 'database' in options ? options.database : await openDatabase({ logger: app.log, ...options })
  if (!('database' in options)) app.addHook('onClose', () => opened.close())

  const participants: Participant[] = []
  const committed = new WeakSet<FastifyRequest>()

  app.decorate('db', opened.db)
  app.decorate('database', {
    ...opened,
    participate: (participant: Participant) => void participants.push(participant)
  })
  app.decorateRequest('transaction', async function <
    R extends TransactionResult
  >(this: FastifyRequest, fn: (trx: Transaction<Tables>) => Promise<R>) {
    const result = await opened.transaction((trx) => runWithParticipants(trx, this, participants, fn))
    committed.add(this)
    return result
  })

  app.decorateRequest('write', async function <
    Row extends { id: unknown } | null | undefined,
    S extends number,
    B
  >(this: FastifyRequest, change: (trx: Transaction<Tables>) => Promise<Row>, answer: (row: NonNullable<Row>) => WriteAnswer<S, B>) {
    const { companions, others } = companionsOf(this, participants)
    const work = async (trx?: Transaction<Tables>) => {
      const row = await opened.write(change, { companions, ...(trx && { trx }) })
      return row === undefined || row === null ? undefined : answer(row)
    }
    const result =
      others.length === 0
        ? await work()
        : await opened.transaction((trx) => runWithParticipants(trx, this, others, work))
    if (result !== undefined) committed.add(this)
    // Without a row only where the type of the row says so.
    return result as Answer<S, B>
  })

  observe(app, opened)
  app.addHook('onRoute', (route) => {
    if (!promisesTransaction(route)) return
    const check = async (request: FastifyRequest, reply: { statusCode: number }) => {
      const isSuccess = reply.statusCode >= 200 && reply.statusCode < 300
      if (!isSuccess || committed.has(request)) return
      const error = new OutsideTransaction(request.method, request.routeOptions.url)
      if (options.strict) throw error
      request.log.error({ err: error }, error.message)
    }
    route.onSend = [...[route.onSend ?? []].flat(), check]
  })
}

/** Readiness and figures, for hosts that have the plugins `health` and `metrics`. */
function observe(app: FastifyInstance, opened: OpenDatabase): void {
  if (app.hasDecorator('health')) app.health.register('database', { check: opened.check, critical: true })
  if (app.hasDecorator('metrics')) {
    app.metrics.gauge('database_pool_connections', 'Pool connections and callers that wait for one', () => {
      const { size, idle, waiting } = opened.stats()
      return [
        { labels: { state: 'used' }, value: size - idle },
        { labels: { state: 'idle' }, value: idle },
        { labels: { state: 'waiting' }, value: waiting }
      ]
    })
  }
}

async function runWithParticipants<R extends TransactionResult | undefined>(
  trx: Transaction<Tables>,
  request: FastifyRequest,
  participants: ReadonlyArray<Participant>,
  fn: (trx: Transaction<Tables>) => Promise<R>
): Promise<R> {
  for (const participant of participants) {
    const replay = await participant.begin?.(trx, request)
    // What was stored is what an earlier run of the same `fn` returned.
    if (replay !== undefined) return replay as R
  }
  const result = await fn(trx)
  if (result === undefined) return result
  for (const participant of participants) await participant.commit?.(trx, request, result)
  return result
}

/** What goes with a statement of this request, and who needs a transaction. */
function companionsOf(request: FastifyRequest, participants: ReadonlyArray<Participant>) {
  const companions: Companion[] = []
  const others: Participant[] = []
  for (const participant of participants) {
    const companion = participant.accompany?.(request)
    if (companion === undefined) others.push(participant)
    else if (companion !== null) companions.push(companion)
  }
  return { companions, others }
}

/** The keys belong to the plugins that take part; here they only say that one of them does. */
function promisesTransaction(route: RouteOptions): boolean {
  const { audit, idempotent } = (route.config ?? {}) as { audit?: unknown; idempotent?: unknown }
  return Boolean(audit) || Boolean(idempotent)
}

export const databasePlugin = fp(database, { name: 'database', fastify: '5.x' })
export default databasePlugin
