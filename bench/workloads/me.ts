import { sql } from 'kysely'
import { httpRequest } from '../fixture.ts'
import type { Workload } from '../workload.ts'

/** `GET /api/v1/users/me` of 10 000 signed-in users: one query by key behind everything that a request passes. */
const me: Workload = {
  baseline: 'me',
  goal: 0.8,
  hooks: 'log, request id, timing, headers, metrics, limits, auth',
  requests: ({ callers }) =>
    callers.map(({ id, token }, n) =>
      // The baseline does not know tokens: it takes the user from a header, which ours does not look at.
      httpRequest(n, '/api/v1/users/me', { Authorization: `Bearer ${token}`, 'X-User-Id': id })
    ),
  // A caller that is not remembered is loaded with the session, which nothing else reads.
  async countMisses(db) {
    const { rows } = await sql<{ reads: number }>`
      select coalesce(seq_scan, 0) + coalesce(idx_scan, 0) as reads from pg_stat_user_tables where relname = 'sessions'`.execute(
      db
    )
    return rows[0]?.reads ?? 0
  }
}

export default me
