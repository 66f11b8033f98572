import { CompiledQuery, type Kysely, sql, type Transaction } from 'kysely'
import { days, end, endsAt, isLive, type Lifetimes, live } from './lifetimes.ts'
import type { SessionsTables } from './table.ts'

/** What a session remembers of its client. */
export interface SessionClient {
  user_agent: string | null
  ip: string | null
}

/** Adds a session. Of the user's live ones `maxPerUser - 1` stay beside it, the last used; the others are revoked. */
export async function insertSession(
  trx: Transaction<SessionsTables>,
  userId: number,
  client: SessionClient,
  { idleDays, maxDays, maxPerUser }: Lifetimes & { maxPerUser: number }
) {
  const { user_agent, ip } = bounded(client)
  const values = [userId, idleDays, maxPerUser - 1, user_agent, ip, maxDays]
  const { rows } = await trx.executeQuery<{ id: string; ends_at: string; ended: string[] }>(
    CompiledQuery.raw(insertStatement, values)
  )
  const [row] = rows
  if (row === undefined) throw new Error('sessions: the statement answers one row')
  return row
}

// As text, not built anew at every sign-in.
const insertStatement = `
  with ended as (
    update sessions set revoked_at = clock_timestamp(), revoked_reason = 'limit'
    where id in (
      select id from sessions
      where user_id = $1 and ${live('$2')}
      order by last_used_at desc offset $3
    )
    returning id
  ), created as (
    insert into sessions (user_id, user_agent, ip, expires_at)
    values ($1, $4, $5, clock_timestamp() + ${days('$6')})
    returning id, ${end('$2')} as ends_at
  )
  select id, ends_at, array(select id::text from ended) as ended from created`

/**
 * Raises the counter if it is still the token's. Parallel calls queue on the row's lock, which the inner select takes before
 * any clock is read, and judge the newest version of the row, so one of them wins. `asked_at` is when this call reached
 * the database, before it waited; it comes back either way.
 */
export async function advanceSession(
  trx: Transaction<SessionsTables>,
  id: string,
  counter: number,
  client: SessionClient,
  { idleDays }: Lifetimes
) {
  const { user_agent, ip } = bounded(client)
  const { rows } = await sql<{ asked_at: string; user_id: number | null; ends_at: string | null }>`
    with advanced as (
      update sessions
      set counter = counter + 1, rotated_at = clock_timestamp(), last_used_at = clock_timestamp(),
        user_agent = ${user_agent}, ip = ${ip}
      where id = (select id from sessions where id = ${id} for no key update)
        and counter = ${counter} and ${isLive(idleDays)}
      returning user_id, ${endsAt(idleDays)} as ends_at
    )
    select statement_timestamp() as asked_at, user_id, ends_at from (select) as always left join advanced on true
  `.execute(trx)
  const [row] = rows
  if (row === undefined) throw new Error('sessions: the statement answers one row')
  return row
}

/** The row as the call of `askedAt` that did not advance it has to judge it. */
export async function findSession(
  trx: Transaction<SessionsTables>,
  id: string,
  askedAt: string,
  { idleDays, graceSeconds }: Lifetimes
) {
  return trx
    .selectFrom('sessions')
    .select([
      'user_id',
      'counter',
      isLive(idleDays).as('is_live'),
      sql<boolean>`rotated_at + make_interval(secs => ${graceSeconds}) > ${askedAt}::timestamptz`.as('in_grace'),
      endsAt(idleDays).as('ends_at')
    ])
    .where('id', '=', id)
    .executeTakeFirst()
}

/** One session, if it is this user's where one is named; or all of a user but for `except`. */
export type Which = { id: string; userId: number | undefined } | { userId: number; except: string | undefined }

/** Revokes what is not revoked yet and returns the ids. */
export async function revokeSessions(
  trx: Transaction<SessionsTables>,
  which: Which,
  reason: string
): Promise<string[]> {
  let update = trx
    .updateTable('sessions')
    .set({ revoked_at: sql<string>`clock_timestamp()`, revoked_reason: reason })
    .where('revoked_at', 'is', null)
    .returning('id')
  if ('id' in which) update = update.where('id', '=', which.id)
  else if (which.except !== undefined) update = update.where('id', '!=', which.except)
  if (which.userId !== undefined) update = update.where('user_id', '=', which.userId)
  return (await update.execute()).map(({ id }) => id)
}

export async function listSessions(db: Kysely<SessionsTables>, userId: number, idleDays: number, limit: number) {
  return db
    .selectFrom('sessions')
    .select(['id', 'user_agent', 'ip', 'created_at', 'last_used_at', endsAt(idleDays).as('expires_at')])
    .where('user_id', '=', userId)
    .where(isLive(idleDays))
    .orderBy('last_used_at', 'desc')
    .limit(limit)
    .execute()
}

/** Deletes sessions that cannot be used any more and were not used for `keepDays`. */
export async function deleteDeadSessions(
  db: Kysely<SessionsTables>,
  idleDays: number,
  keepDays: number,
  limit: number
): Promise<number> {
  const { numDeletedRows } = await db
    .deleteFrom('sessions')
    .where('id', 'in', (query) =>
      query
        .selectFrom('sessions')
        .select('id')
        .where('last_used_at', '<', sql<string>`clock_timestamp() - make_interval(days => ${keepDays})`)
        .where(sql<boolean>`not ${isLive(idleDays)}`)
        .orderBy('last_used_at')
        .limit(limit)
    )
    .executeTakeFirstOrThrow()
  return Number(numDeletedRows)
}

const bounded = ({ user_agent, ip }: SessionClient): SessionClient => ({
  user_agent: user_agent?.slice(0, 512) ?? null,
  ip: ip?.slice(0, 64) ?? null
})
