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
  /** Throw, not just log, when a route that declares `audit` or `idempotent` goes round `request.transaction`. Default `false`. */
  strict?: boolean
} & ({ /** Opened by the caller, who closes it. */ database: OpenDatabase } | DatabaseOptions)

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
     * row at most, its public id as `id`. It is committed when `answer` makes the answer of that row; where there is
     * none, nothing was done and recorded, and the result is `undefined`.
     */
    write<Row, const S extends number, B>(
      change: (trx: Transaction<Tables>) => Promise<Row>,
      answer: (row: NonNullable<Row>) => Answer<S, B>
    ): Promise<Answer<S, B> | Extract<Row, undefined>>
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
    Row,
    S extends number,
    B
  >(this: FastifyRequest, change: (trx: Transaction<Tables>) => Promise<Row>, answer: (row: NonNullable<Row>) => Answer<S, B>) {
    const answerOf = (row: Row) => (row === undefined || row === null ? undefined : answer(row))
    const companions = companionsOf(this, participants)
    const result =
      companions === undefined
        ? await opened.transaction((trx) =>
            runWithParticipants(trx, this, participants, async (trx) => answerOf(await change(trx)))
          )
        : answerOf(await opened.write(change, companions))
    committed.add(this)
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

/** What goes with a statement of this request; `undefined` where somebody needs a transaction. */
function companionsOf(request: FastifyRequest, participants: ReadonlyArray<Participant>): Companion[] | undefined {
  const companions: Companion[] = []
  for (const participant of participants) {
    const companion = participant.accompany?.(request)
    if (companion === undefined) return undefined
    if (companion !== null) companions.push(companion)
  }
  return companions
}

/** The keys belong to the plugins that take part; here they only say that one of them does. */
function promisesTransaction(route: RouteOptions): boolean {
  const { audit, idempotent } = (route.config ?? {}) as { audit?: unknown; idempotent?: unknown }
  return Boolean(audit) || Boolean(idempotent)
}

export const databasePlugin = fp(database, { name: 'database', fastify: '5.x' })
export default databasePlugin
