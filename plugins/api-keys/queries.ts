import { type Kysely, sql } from 'kysely'
import type { KeyProof } from './key-text.ts'
import type { ApiKeysTables } from './table.ts'

type Db = Kysely<ApiKeysTables>

/** Read by the database plugin: a read by primary key, which may share a connection. */
const SHORT_READ = Symbol.for('database.shortRead')

/** What an owner may see of a key. */
const summary = ['id', 'name', 'scopes', 'is_active', 'expires_at', 'last_used_at', 'created_at'] as const

/** The row behind a key, dead or alive. All times are the database's. */
export async function findKey(db: Db, id: string) {
  const query = db
    .selectFrom('api_keys')
    .select(['id', 'user_id', 'scopes', 'secret_hash', 'previous_hash', 'previous_until', 'expires_at'])
    .select([
      sql<boolean>`is_active and revoked_at is null and expires_at > now()`.as('is_live'),
      sql<boolean>`coalesce(previous_until > now(), false)`.as('is_previous_live')
    ])
    .where('id', '=', id)
    .compile()
  const { rows } = await db.executeQuery({ ...query, [SHORT_READ]: true } as typeof query)
  return rows[0]
}

export interface NewKey {
  user_id: number
  name: string | null
  scopes: string[]
}

export function insertKey(db: Db, { id, hash }: KeyProof, key: NewKey, days: number) {
  return db
    .insertInto('api_keys')
    .values({ ...key, id, secret_hash: hash, expires_at: inDays(days) })
    .returning(summary)
    .executeTakeFirstOrThrow()
}

const owned = (db: Db, userId: number) =>
  db.selectFrom('api_keys').where('user_id', '=', userId).where('revoked_at', 'is', null)

export async function countKeys(db: Db, userId: number): Promise<number> {
  // Two at once would count the same keys: creating them is one after the other for each user.
  await sql`select pg_advisory_xact_lock(hashtextextended('api_keys', ${userId}))`.execute(db)
  const { count } = await owned(db, userId)
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .executeTakeFirstOrThrow()
  return count
}

export function listKeys(db: Db, userId: number, limit: number) {
  return owned(db, userId).select(summary).orderBy('created_at', 'desc').orderBy('id').limit(limit).execute()
}

export function getKey(db: Db, userId: number, id: string) {
  return owned(db, userId).select(summary).where('id', '=', id).executeTakeFirst()
}

/** The same, and nobody else changes the row until the transaction ends. */
export function lockKey(db: Db, userId: number, id: string) {
  return owned(db, userId).select(summary).where('id', '=', id).forNoKeyUpdate().executeTakeFirst()
}

const change = (db: Db, userId: number) =>
  db.updateTable('api_keys').where('user_id', '=', userId).where('revoked_at', 'is', null)

export interface KeyChanges {
  name?: string | null
  is_active?: boolean
  scopes?: string[]
}

export function updateKey(db: Db, userId: number, id: string, changes: KeyChanges) {
  return change(db, userId).set(changes).where('id', '=', id).returning(summary).executeTakeFirst()
}

/** The key before stays good for `overlapSeconds`, and no longer than it would have been. */
export function rotateKey(db: Db, userId: number, { id, hash }: KeyProof, days: number, overlapSeconds: number) {
  return change(db, userId)
    .set({
      secret_hash: hash,
      previous_hash: sql<string>`secret_hash`,
      previous_until: sql<string>`least(expires_at, now() + make_interval(secs => ${overlapSeconds}))`,
      expires_at: inDays(days)
    })
    .where('id', '=', id)
    .returning(summary)
    .executeTakeFirst()
}

/** One key of the user, or all. Returns the ids. */
export async function revokeKeys(db: Db, userId: number, id?: string): Promise<string[]> {
  const which = id === undefined ? change(db, userId) : change(db, userId).where('id', '=', id)
  const rows = await which.set({ revoked_at: sql<string>`now()` }).returning('id').execute()
  return rows.map((row) => row.id)
}

/** At most once a minute for each key, over any number of processes. */
export async function touchKeys(db: Db, ids: string[]): Promise<void> {
  await sql`
    update api_keys set last_used_at = now()
    where id = any(${ids}) and (last_used_at is null or last_used_at < now() - interval '1 minute')`.execute(db)
}

export async function deleteDeadKeys(db: Db, keepDays: number, limit: number): Promise<number> {
  const dead = db
    .selectFrom('api_keys')
    .select('id')
    .where(sql<string>`least(expires_at, revoked_at)`, '<', sql<string>`now() - make_interval(days => ${keepDays})`)
    .limit(limit)
  const { numDeletedRows } = await db.deleteFrom('api_keys').where('id', 'in', dead).executeTakeFirst()
  return Number(numDeletedRows)
}

const inDays = (days: number) => sql<string>`now() + make_interval(days => ${days})`
