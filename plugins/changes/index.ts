import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { type GeneratedAlways, type Kysely, sql, type Transaction } from 'kysely'
import type { Tables } from '../database/index.ts'
import { createFeed, type Feed, MIN_RETENTION_SECONDS } from './feed.ts'

export * as changesMigration from './migration.ts'

export interface ChangesTable {
  id: GeneratedAlways<number>
  kind: string
  key: string
  created_at: GeneratedAlways<string>
}

export interface ChangesOptions {
  /** Pause between two reads of the feed. Default 400 ms. */
  pollMs?: number
  /** How far each read looks back behind the one before; longer than any transaction lasts. Default 15 s. */
  overlapSeconds?: number
  /** Monotonic clock in milliseconds. Default `performance.now`. */
  now?: () => number
}

export interface Changes {
  /** Inserts the change in the caller's transaction. Listeners here run after its commit and before the answer, elsewhere ≤ 1 s later. */
  record(trx: Transaction<Tables>, kind: string, key: string): Promise<void>
  /** Calls `listener` once for each change of this kind, made here or elsewhere. */
  on(kind: string, listener: (key: string) => void): void
  /** Calls `listener` when changes may have been missed (the process slept for an hour): drop everything cached. */
  onGap(listener: () => void): void
  /** `false` when the last good read of the feed began more than 1 s ago: then nothing cached may be trusted. Always `true` embedded. */
  isFresh(): boolean
  /**
   * Deletes changes older than this, at least 3600 s; returns how many. For a clean-up job.
   *
   * @throws {RangeError} below 3600
   */
  prune(olderThanSeconds: number): Promise<number>
}

declare module 'fastify' {
  interface FastifyInstance {
    changes: Changes
  }
}

async function changes(app: FastifyInstance, options: ChangesOptions): Promise<void> {
  const { pollMs = 400, overlapSeconds = 15, now = () => performance.now() } = options
  const db = app.db.withTables<{ changes: ChangesTable }>()
  const listeners = new Map<string, Array<(key: string) => void>>()
  const gapListeners: Array<() => void> = []

  function callAll<A extends unknown[]>(callbacks: ReadonlyArray<(...args: A) => void>, ...args: A): void {
    for (const callback of callbacks) {
      try {
        callback(...args)
      } catch (error) {
        app.log.error({ err: error }, 'A listener for changes failed')
      }
    }
  }

  const onChange = (kind: string, key: string) => callAll(listeners.get(kind) ?? [], key)
  // Embedded there is one process: what is not made here is not made at all.
  const feed: Pick<Feed, 'isFresh' | 'announce'> =
    app.database.kind === 'embedded'
      ? { isFresh: () => true, announce: (_, kind, key) => onChange(kind, key) }
      : follow(app, { pollMs, overlapSeconds, now, onChange, onGap: () => callAll(gapListeners) })

  app.decorate('changes', {
    async record(trx, kind, key) {
      const { id } = await trx
        .withTables<{ changes: ChangesTable }>()
        .insertInto('changes')
        .values({ kind, key })
        .returning('id')
        .executeTakeFirstOrThrow()
      app.database.afterCommit(trx, () => feed.announce(id, kind, key))
    },
    on(kind, listener) {
      const others = listeners.get(kind)
      if (others === undefined) listeners.set(kind, [listener])
      else others.push(listener)
    },
    onGap: (listener) => void gapListeners.push(listener),
    isFresh: feed.isFresh,
    async prune(olderThanSeconds) {
      if (!(olderThanSeconds >= MIN_RETENTION_SECONDS)) {
        throw new RangeError(`Changes are kept for ${MIN_RETENTION_SECONDS} s at least: slow readers need them`)
      }
      const { numDeletedRows } = await db
        .deleteFrom('changes')
        .where('created_at', '<', sql<string>`now() - make_interval(secs => ${olderThanSeconds})`)
        .executeTakeFirst()
      return Number(numDeletedRows)
    }
  })
}

type FollowOptions = Omit<Parameters<typeof createFeed>[0], 'db' | 'onFailure'>

/** A feed that lives as long as the app, with its first read before the app is ready. */
function follow(app: FastifyInstance, options: FollowOptions): Feed {
  const feed = createFeed({
    ...options,
    // The feed writes its SQL by hand and needs no tables.
    db: app.db as Kysely<unknown>,
    onFailure: (error) => app.log.error({ err: error }, 'The change feed cannot be read; nothing cached is trusted')
  })
  app.addHook('onReady', feed.start)
  app.addHook('onClose', feed.stop)
  return feed
}

export const changesPlugin = fp(changes, { name: 'changes', fastify: '5.x', dependencies: ['database'] })
export default changesPlugin
