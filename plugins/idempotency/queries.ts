import { type Kysely, sql, type Transaction } from 'kysely'
import type { TransactionResult } from '../database/index.ts'
import type { IdempotencyTables } from './table.ts'

/** Whose key, and for what. */
export interface Claim {
  caller: string
  route: string
  key: string
}

/**
 * Takes the key until the transaction ends. `false`: another one has it. A lock and not a row, so that a process that
 * dies leaves nothing behind.
 */
export async function lockKey(trx: Transaction<IdempotencyTables>, { caller, route, key }: Claim): Promise<boolean> {
  const name = JSON.stringify(['idempotency', caller, route, key])
  const { rows } = await sql<{ locked: boolean }>`
    select pg_try_advisory_xact_lock(hashtextextended(${name}, 0)) as locked`.execute(trx)
  return rows[0]?.locked === true
}

/** What was answered under the key. To be asked under its lock, in a statement of its own: it then sees what the last holder wrote. */
export function findAnswer(trx: Transaction<IdempotencyTables>, claim: Claim, ttlHours: number) {
  return trx
    .selectFrom('idempotency_keys')
    .select(['fingerprint', 'status', 'body', 'location'])
    .where('caller', '=', claim.caller)
    .where('route', '=', claim.route)
    .where('key', '=', claim.key)
    .where('created_at', '>', youngerThan(ttlHours))
    .executeTakeFirst()
}

export async function storeAnswer(
  trx: Transaction<IdempotencyTables>,
  claim: Claim & { fingerprint: string },
  { status, body, location }: TransactionResult
): Promise<void> {
  const answer = { status, body: JSON.stringify(body ?? null), location: location ?? null }
  await trx
    .insertInto('idempotency_keys')
    .values({ ...claim, ...answer })
    // Under the lock there is nobody else: what is in the way has expired.
    .onConflict((conflict) =>
      conflict
        .columns(['caller', 'route', 'key'])
        .doUpdateSet({ ...answer, fingerprint: claim.fingerprint, created_at: sql<string>`now()` })
    )
    .execute()
}

export async function deleteAnswersOf(trx: Transaction<IdempotencyTables>, caller: string): Promise<void> {
  await trx.deleteFrom('idempotency_keys').where('caller', '=', caller).execute()
}

export async function deleteExpired(db: Kysely<IdempotencyTables>, ttlHours: number, limit: number): Promise<number> {
  const { numAffectedRows } = await sql`
    delete from idempotency_keys where ctid = any(array(
      select ctid from idempotency_keys where created_at <= ${youngerThan(ttlHours)} limit ${limit}))`.execute(db)
  return Number(numAffectedRows)
}

const youngerThan = (hours: number) => sql<string>`now() - make_interval(hours => ${hours})`
