import { type Kysely, sql } from 'kysely'

/** Older than this without a read, rows may have been pruned unseen: no clean-up may keep less. */
export const MIN_RETENTION_SECONDS = 3600
/** Nothing cached may be trusted once the last good read began longer ago than this. */
const FRESH_MS = 1000

/** Read by the database plugin: the query may share a connection, so that a busy pool does not hold up the feed. */
const SHORT_READ = Symbol.for('database.shortRead')

export interface FeedOptions {
  db: Kysely<unknown>
  pollMs: number
  overlapSeconds: number
  now: () => number
  onChange(kind: string, key: string): void
  onGap(): void
  onFailure(error: unknown): void
}

export interface Feed {
  /** Reads once, then goes on reading. Rejects when the first read fails. */
  start(): Promise<void>
  /** Waits for a read that is under way. */
  stop(): Promise<void>
  isFresh(): boolean
  /** Tells of a change made here, unless a read has told of it already; no later read will. */
  announce(id: number, kind: string, key: string): void
}

interface FeedRow {
  /** Seconds since 1970 on the database's clock, the same in all rows. */
  read_at: number
  id: number | null
  kind: string
  key: string
}

/**
 * Follows the table `changes`. Rows become visible when their transaction commits, not in the order of their ids or
 * times; so each read looks back `overlapSeconds` behind the one before, further than any transaction lasts, and
 * remembers what it has told. Looking back from the last *good* read also catches up after an outage.
 */
export function createFeed({ db, pollMs, overlapSeconds, now, onChange, onGap, onFailure }: FeedOptions): Feed {
  /** Id → number of the last read that returned it, or during which it was announced. */
  const told = new Map<number, number>()
  let reads = 0
  let lastReadAt: number | undefined
  let freshSince = Number.NEGATIVE_INFINITY
  let isFailing = false
  let isStopped = false
  let timer: NodeJS.Timeout | undefined
  let underWay: Promise<void> | undefined

  function announce(id: number, kind: string, key: string): void {
    if (!told.has(id)) onChange(kind, key)
    told.set(id, reads)
  }

  async function read(): Promise<void> {
    const startedAt = now()
    const from = lastReadAt === undefined ? sql`now()` : sql`to_timestamp(${lastReadAt})`
    const query = sql<FeedRow>`
      select extract(epoch from now())::float8 as read_at, id, kind, key
      from (select now()) as clock
      left join changes on created_at > ${from} - make_interval(secs => ${overlapSeconds})
      order by id`.compile(db)
    reads++
    const { rows } = await db.executeQuery({ ...query, [SHORT_READ]: true } as typeof query)
    const readAt = rows[0]?.read_at ?? 0
    if (lastReadAt !== undefined && readAt - lastReadAt > MIN_RETENTION_SECONDS) onGap()
    for (const { id, kind, key } of rows) if (id !== null) announce(id, kind, key)
    for (const [id, seen] of told) if (seen < reads) told.delete(id)
    lastReadAt = readAt
    freshSince = startedAt
  }

  async function readOn(): Promise<void> {
    try {
      await read()
      isFailing = false
    } catch (error) {
      if (!isFailing) onFailure(error)
      isFailing = true
    }
    schedule()
  }

  function schedule(): void {
    if (isStopped) return
    timer = setTimeout(() => {
      underWay = readOn()
    }, pollMs).unref()
  }

  return {
    async start() {
      await read()
      schedule()
    },
    async stop() {
      isStopped = true
      clearTimeout(timer)
      await underWay
    },
    isFresh: () => now() - freshSince <= FRESH_MS,
    announce
  }
}
