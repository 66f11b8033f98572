import type { FastifyInstance } from 'fastify'

/** Rows of the change feed older than this have been read by everybody. */
const CHANGES_KEPT_SECONDS = 3600
const PERIOD_MS = 3_600_000
const BATCH = 1000

type Service = Pick<FastifyInstance, 'db' | 'sessions' | 'changes'>

/** Deletes what has expired: dead sessions and changes that every process has seen. Returns how many rows went. */
export async function cleanUp({ db, sessions, changes }: Service): Promise<{ sessions: number; changes: number }> {
  let ended = 0
  // In batches, so that no statement holds locks for long.
  for (let deleted = BATCH; deleted === BATCH; ended += deleted) deleted = await sessions.prune(db, { limit: BATCH })
  return { sessions: ended, changes: await changes.prune(CHANGES_KEPT_SECONDS) }
}

/** Cleans up every hour until the service closes. Harmless in several processes at once: what is gone is gone. */
export function scheduleCleanUp(app: FastifyInstance): void {
  const timer = setInterval(() => {
    cleanUp(app).then(
      (deleted) => app.log.info(deleted, 'cleaned up'),
      (err) => app.log.error({ err }, 'clean-up failed')
    )
  }, PERIOD_MS)
  timer.unref()
  app.addHook('onClose', async () => clearInterval(timer))
}
