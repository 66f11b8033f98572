import { sql } from 'kysely'

/** Life of sessions; the database's clock judges. */
export interface Lifetimes {
  idleDays: number
  maxDays: number
  graceSeconds: number
}

/** A row that may still be used: not revoked, neither idle for too long nor past its absolute end. */
export const isLive = (idleDays: number) => sql<boolean>`(
  revoked_at is null and expires_at > clock_timestamp() and last_used_at > clock_timestamp() - ${days(idleDays)})`

/** When a session ends if nothing more is heard of it. */
export const endsAt = (idleDays: number) => sql<string>`least(expires_at, last_used_at + ${days(idleDays)})`

export function days(count: number) {
  return sql`make_interval(days => ${count})`
}
