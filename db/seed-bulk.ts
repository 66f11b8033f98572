import { randomBytes } from 'node:crypto'
import { type Kysely, sql } from 'kysely'
import type { Database } from './types.ts'

/** Rows in one statement: few round trips, and each one short. */
const BATCH = 10_000
/** Statements at once; each keeps one processor of the database busy. */
const PARALLEL = 2

const adjectives =
  'amber blue brave calm clever dusty eager faded gentle hollow iron little mellow narrow quiet round silver'
const nouns =
  'anchor basket candle drawer engine feather garden hammer kettle ladder mirror needle pencil ribbon saddle table'
const materials = 'brass clay cotton glass leather linen oak paper steel stone wool'

export type OnProgress = (done: number) => void

/**
 * Adds users who cannot sign in, because nobody knows a password to `passwordHash`. The database makes the rows, so
 * memory stays flat whatever their number.
 */
export async function seedUsers(
  db: Kysely<Database>,
  count: number,
  { passwordHash, role, tier }: { passwordHash: string; role: string; tier: string },
  onProgress: OnProgress = () => {}
): Promise<void> {
  const run = `seed-${randomBytes(4).toString('hex')}-`
  await inBatches(count, onProgress, async (first, last) => {
    await sql`
      with added as (
        insert into users (tier_id, email, username, name, password_hash, is_verified)
        select (select id from tiers where name = ${tier}), ${run}::text || n || '@example.com', ${run}::text || n, 'Seed User ' || n, ${passwordHash}, true
        from generate_series(${first}::int, ${last}::int) n
        returning id)
      insert into user_roles (user_id, role_id)
      select added.id, roles.id from added, roles where roles.name = ${role}`.execute(db)
  })
  await sql`analyze users, user_roles`.execute(db)
}

/**
 * Adds items of existing users, a second apart up to now: nine of ten active, the others drafts and archived. Most titles
 * share words; one in 100,000 holds the word `quetzal`.
 *
 * @throws when there is no user
 */
export async function seedItems(db: Kysely<Database>, count: number, onProgress: OnProgress = () => {}): Promise<void> {
  const owners = (await db.selectFrom('users').select('id').where('deleted_at', 'is', null).limit(BATCH).execute()).map(
    ({ id }) => id
  )
  if (owners.length === 0) throw new Error('Items need owners: seed users first')
  const word = (words: string, salt: number) => {
    const list = words.split(' ')
    return sql`(${list}::text[])[1 + mod(abs(hashint4(n + ${sql.lit(salt)})), ${sql.lit(list.length)})]`
  }
  await inBatches(count, onProgress, async (first, last) => {
    await sql`
      insert into items (owner_id, title, description, status, created_at)
      select
        (${owners}::bigint[])[1 + mod(abs(hashint4(n)), ${owners.length}::int)],
        initcap(${word(adjectives, 1)}) || ' ' || case when mod(n, 100000) = 2 then 'quetzal' else ${word(nouns, 2)} end || ' ' || n,
        'Made of ' || ${word(materials, 3)} || ' and ' || ${word(materials, 4)},
        case mod(n, 20) when 0 then 'draft' when 1 then 'archived' else 'active' end,
        now() - make_interval(secs => ${count}::int - n)
      from generate_series(${first}::int, ${last}::int) n`.execute(db)
  })
  await sql`analyze items`.execute(db)
}

async function inBatches(
  count: number,
  onProgress: OnProgress,
  insert: (first: number, last: number) => Promise<void>
): Promise<void> {
  let begun = 0
  let done = 0
  const work = async () => {
    while (begun < count) {
      const first = begun + 1
      const last = Math.min(begun + BATCH, count)
      begun = last
      await insert(first, last)
      done += last - first + 1
      onProgress(done)
    }
  }
  await Promise.all(Array.from({ length: PARALLEL }, work))
}
