import { sql } from 'kysely'
import { cursorScope } from '../db/cursor-list.ts'
import { createCursors } from '../db/cursors.ts'
import { seedItems } from '../db/seed-bulk.ts'
import { derivedKeys } from '../src/keys.ts'
import type { Fixture } from './fixture.ts'

const ITEMS = 1_000_000

/** Fills the table once for all workloads of a run. */
export async function ensureItems({ db }: Fixture): Promise<void> {
  if ((await db.selectFrom('items').select('id').limit(1).execute()).length > 0) return
  console.error(`seeding ${ITEMS.toLocaleString('en')} items`)
  await seedItems(db, ITEMS)
  // Not while something is measured.
  await sql`vacuum analyze items`.execute(db)
  await sql`checkpoint`.execute(db)
}

/** Places in the public list, newest first, from `offset` on: as our cursors, and in the open for the baseline. */
export async function placesFrom({ db, env }: Fixture, offset: number, count: number) {
  const rows = await db
    .selectFrom('items')
    .select(['created_at', 'id'])
    .where('status', '=', 'active')
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .offset(offset)
    .limit(count)
    .execute()
  const cursors = createCursors(derivedKeys(env.APP_KEYS ?? '', 'cursor'))
  const order = [
    ['items.created_at', 'desc'],
    ['items.id', 'desc']
  ] as const
  const scope = cursorScope('items', order, { status: 'active' })
  return rows.map(({ created_at, id }) => ({
    cursor: cursors.seal(scope, [created_at, id]),
    created_at,
    id: String(id)
  }))
}
