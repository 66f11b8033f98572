import { sql } from 'kysely'

/** Life of sessions, in whole numbers (they become part of SQL texts); the database's clock judges. */
export interface Lifetimes {
  idleDays: number
  maxDays: number
  graceSeconds: number
}

/** A row that may still be used: not revoked, neither idle for too long nor past its absolute end. As SQL, like its argument. */
export const live = (idleDays: number | string) => `(
  revoked_at is null and expires_at > clock_timestamp() and last_used_at > clock_timestamp() - ${days(idleDays)})`

/** When a session ends if nothing more is heard of it. As SQL, like its argument. */
export const end = (idleDays: number | string) => `least(expires_at, last_used_at + ${days(idleDays)})`

export const days = (count: number | string) => `make_interval(days => ${count})`

export const isLive = (idleDays: number) => sql.raw<boolean>(live(idleDays))
export const endsAt = (idleDays: number) => sql.raw<string>(end(idleDays))
