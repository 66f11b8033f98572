import type { FastifyInstance } from 'fastify'

/** Rows of the change feed older than this have been read by everybody. */
const CHANGES_KEPT_SECONDS = 3600
const PERIOD_MS = 3_600_000
const BATCH = 1000

type Service = Pick<FastifyInstance, 'db' | 'sessions' | 'idempotency' | 'changes' | 'audit'>

/** Deletes what has expired: dead sessions, answers to idempotency keys, old audit events, and changes that every process has seen. Returns how many rows went. */
export async function cleanUp({ db, sessions, idempotency, changes, audit }: Service) {
  return {
    sessions: await inBatches(() => sessions.prune(db, { limit: BATCH })),
    idempotency_keys: await inBatches(() => idempotency.prune(db, { limit: BATCH })),
    audit_events: await inBatches(() => audit.prune(db, { limit: BATCH })),
    changes: await changes.prune(CHANGES_KEPT_SECONDS)
  }
}

/** So that no statement holds locks for long. */
async function inBatches(prune: () => Promise<number>): Promise<number> {
  let total = 0
  for (let deleted = BATCH; deleted === BATCH; total += deleted) deleted = await prune()
  return total
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
