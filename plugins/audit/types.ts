import type { FastifyRequest } from 'fastify'
import type { Kysely, Transaction } from 'kysely'
import type { Tables } from '../database/index.ts'
import type { Difference } from './difference.ts'

export interface AuditEvent {
  /** `<noun>.<past participle>`, e.g. `session.reused`. */
  action: string
  /** Public id of the account whose credentials were used. Default: the caller of `request`. */
  actor_id?: string | null
  target_type?: string
  target_id?: string | null
  /** What else is to be known, at most 8 KiB of JSON. Values under names that sound like secrets are left out. */
  details?: Record<string, unknown>
  /** Where ip, user agent, request id and the caller are taken from. */
  request?: FastifyRequest
  /** Instead of `request`, in a job: what `originOf` kept of the request that asked for it. */
  origin?: AuditOrigin
}

/** Where a request came from, as plain JSON. */
export interface AuditOrigin {
  ip: string | null
  user_agent: string | null
  request_id: string | null
}

export interface AuditFailure {
  /** `<noun>.failed`, e.g. `sign_in.failed`. */
  action: string
  /** Whose account was tried: its public id, or what was typed when there is no such account. */
  account: { id: string } | { identifier: string }
  request: FastifyRequest
}

export interface Audit {
  /** Writes the event in the caller's transaction: it exists exactly when what it tells of does. */
  record(trx: Transaction<Tables>, event: AuditEvent): Promise<void>
  /** What an event keeps of a request, for the payload of a job that will record one. */
  originOf(request: FastifyRequest): AuditOrigin
  /** Counts a failed proof, one row per client, account and minute. Not inside a transaction that will be rolled back. */
  recordFailure(db: Kysely<Tables>, failure: AuditFailure): Promise<void>
  /** For `details`: the names of what differs, and the values of those in `shown`; secrets and personal data belong in none. */
  difference<T extends object>(before: Partial<T>, changes: T, shown: Array<keyof T & string>): Difference
  /** Deletes at most `limit` (1000) events older than `retentionDays`; returns how many. For a clean-up job. */
  prune(db: Kysely<Tables>, options?: { limit?: number }): Promise<number>
}
