import { sql } from 'kysely'
import pg from 'pg'
import t from 'tap'
import { startApp } from '../support/app.ts'
import { administrator } from '../support/people.ts'

const USERS = 100_000

t.setTimeout(600_000)

t.test('a list of 100 k users with roles and permissions', async (t) => {
  const app = await startApp(t, { DB_STATEMENT_TIMEOUT_MS: '120000' })
  const admin = await administrator(app)
  await sql`
    insert into users (tier_id, email, username, password_hash)
    select (select id from tiers where name = 'free'), 'many' || n || '@example.com', 'many' || n, 'x' from generate_series(1, ${sql.lit(USERS)}) as n`.execute(
    app.db
  )
  await sql`
    insert into user_roles (user_id, role_id)
    select users.id, roles.id from users, roles where roles.name = 'user' and users.username like 'many%'`.execute(
    app.db
  )
  await sql`analyze`.execute(app.db)
  const list = async (query: string) => {
    const answer = await admin.as.get(`/users?include=roles,permissions&${query}`)
    if (answer.statusCode !== 200) throw new Error(answer.body)
    return answer.json()
  }

  await t.test('takes the same number of queries whatever its length', async (t) => {
    const counts: Record<string, number> = {}
    await list('limit=1') // the caller is known from now on
    for (const query of [
      'limit=1',
      'limit=100',
      'items_per_page=1',
      'items_per_page=100',
      'page=900&items_per_page=100'
    ]) {
      // Whatever else the process asks the database at that moment is not there every time.
      const runs = []
      for (let times = 0; times < 5; times++) runs.push(await statementsOf(() => list(query)))
      counts[query] = Math.min(...runs)
    }
    const { 'page=900&items_per_page=100': deep = 0, ...others } = counts
    t.same(
      others,
      { 'limit=1': 1, 'limit=100': 1, 'items_per_page=1': 2, 'items_per_page=100': 2 },
      'a page counts, too'
    )
    t.ok(deep >= 1 && deep <= 2, `${deep} so far back`)

    /** Every statement that reaches the driver while `work` runs, whoever sends it. */
    async function statementsOf(work: () => Promise<{ data: Array<{ roles: string[]; permissions: string[] }> }>) {
      let count = 0
      const { query } = pg.Client.prototype
      pg.Client.prototype.query = function (this: pg.Client, ...call: Parameters<typeof query>) {
        count += 1
        return query.apply(this, call)
      } as typeof query
      try {
        const { data } = await work()
        if (!data.every(({ roles, permissions }) => roles && permissions)) throw new Error('without roles')
      } finally {
        pg.Client.prototype.query = query
      }
      return count
    }
  })

  for (const sort of ['-created_at', 'username']) {
    await t.test(`by ${sort}, the last part of a walk costs what the first does`, async (t) => {
      const first = `sort=${sort}&limit=100`
      const last = `${first}&cursor=${await nearTheEnd(sort)}`
      const times: Record<'first' | 'last', number[]> = { first: [], last: [] }
      for (let round = 0; round < 150; round++) {
        for (const [which, query] of [['first', first] as const, ['last', last] as const]) {
          const startedAt = performance.now()
          const { data } = await list(query)
          times[which].push(performance.now() - startedAt)
          if (data.length !== 100) throw new Error(`${data.length} users`)
        }
      }
      const [p50First, p50Last] = [median(times.first), median(times.last)]
      t.comment(`p50 first ${p50First.toFixed(2)} ms, last ${p50Last.toFixed(2)} ms`)
      t.ok(p50Last <= 1.2 * p50First, `${p50Last} ≤ 1.2 × ${p50First}`)
    })
  }

  /** A cursor with 200 users behind it, found by walking in the largest steps. */
  async function nearTheEnd(sort: string): Promise<string> {
    let cursor = ''
    let left = USERS + 1
    while (left > 300) {
      const answer = await admin.as.get(
        `/users?include=roles,permissions&sort=${sort}&limit=100${cursor && `&cursor=${cursor}`}`
      )
      cursor = answer.json().next_cursor
      left -= 100
    }
    const step = left - 200
    return (await list(`sort=${sort}&limit=${step}&cursor=${cursor}`)).next_cursor
  }
})

const median = (values: number[]) => values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN
