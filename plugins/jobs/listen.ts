import type { PgBoss } from 'pg-boss'
import { JOBS_SCHEMA } from './migration.ts'

export interface Listening {
  close(): Promise<void>
}

/**
 * Hears of new jobs by their kind, as pg-boss announces them; `onGap` when something may have been missed.
 *
 * @throws when the connection cannot listen
 */
export async function listen(
  boss: PgBoss,
  onJob: (name: string) => void,
  onGap: () => void
): Promise<Listening | undefined> {
  const db = boss.getDb()
  const { rows } = await db.executeSql(
    `select 'pgboss_' || left(encode(sha224('${JOBS_SCHEMA}'::bytea), 'hex'), 24) as channel`
  )
  return db.listen?.(rows[0].channel, onJob, onGap)
}
