import { Type } from '@sinclair/typebox'
import type { FastifyInstance } from 'fastify'
import { pruneTokens } from '../../db/account-tokens.ts'
import type { Job } from '../../plugins/jobs/index.ts'

/** Rows of the change feed older than this have been read by everybody. */
const CHANGES_KEPT_SECONDS = 3600
const BATCH = 1000

type Service = Pick<FastifyInstance, 'db' | 'sessions' | 'idempotency' | 'changes' | 'audit' | 'apiKeys'>

/** Deletes what has expired: dead sessions, API keys and account tokens, answers to idempotency keys, old audit events, and changes that every process has seen. Returns how many rows went. */
export async function cleanUp({ db, sessions, apiKeys, idempotency, changes, audit }: Service) {
  return {
    sessions: await inBatches(() => sessions.prune(db, { limit: BATCH })),
    api_keys: await inBatches(() => apiKeys.prune(db, { limit: BATCH })),
    account_tokens: await inBatches(() => pruneTokens(db, BATCH)),
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

const job: Job<'clean_up'> = {
  name: 'clean_up',
  payload: Type.Object({}, { additionalProperties: false }),
  schedule: { cron: '17 * * * *', payload: {} },
  concurrency: 1,
  run: (_, app) => cleanUp(app)
}

declare module '../../plugins/jobs/index.ts' {
  interface JobPayloads {
    clean_up: Record<string, never>
  }
}

export default job
