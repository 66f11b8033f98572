import { sql } from 'kysely'
import t from 'tap'
import { startApp } from '../support/app.ts'

const TRIES = 300
/** A busy machine needs more of them to tell a tenth from noise. */
const MOST_TRIES = 1200

t.setTimeout(600_000)

t.test('P05: by time nobody can tell an unknown user from a wrong password', async (t) => {
  // The hashing of production; addresses and accounts change with each try, so that no limit comes into play.
  const app = await startApp(t, { ARGON2_MEMORY_KIB: '19456', ARGON2_TIME_COST: '2', TRUST_PROXY: 'loopback' })
  const hash = await app.passwords.hash('Correct-horse-1')
  await sql`insert into users (tier_id, email, username, password_hash)
    select (select id from tiers where name = 'free'), 'known' || n || '@example.com', 'known' || n, ${hash} from generate_series(1, ${MOST_TRIES}::int) n`.execute(
    app.db
  )

  let tries = 0
  async function measure(identifier: string): Promise<number> {
    const address = `10.0.${tries >> 8}.${tries++ & 255}`
    const startedAt = performance.now()
    const answer = await app.inject({
      method: 'POST',
      url: '/api/v1/auth/login',
      headers: { 'x-forwarded-for': address },
      payload: { identifier, password: 'Wrong-horse-1' }
    })
    const ms = performance.now() - startedAt
    if (answer.statusCode !== 401) throw new Error(answer.body)
    return ms
  }

  const known: number[] = []
  const unknown: number[] = []
  const difference = () => Math.abs(median(known) / median(unknown) - 1)
  for (let n = 1; n <= TRIES || (n <= MOST_TRIES && difference() >= 0.1); n++) {
    // In turns, each first in every second round: whatever else the machine does meets both alike.
    const kinds = [
      async () => known.push(await measure(`known${n}@example.com`)),
      async () => unknown.push(await measure(`nobody${n}@example.com`))
    ]
    for (const kind of n % 2 === 0 ? kinds : kinds.toReversed()) await kind()
  }

  const text = `${known.length} tries each, median ${median(known).toFixed(1)} ms known, ${median(unknown).toFixed(1)} ms unknown`
  t.comment(text)
  t.ok(difference() < 0.1, text)
})

function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}
