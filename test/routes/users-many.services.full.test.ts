import { sql } from 'kysely'
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
    const executor = app.db.getExecutor()
    const run = executor.executeQuery.bind(executor)
    let queries = 0
    executor.executeQuery = (...call) => {
      if (/from "users"/.test(call[0].sql)) queries += 1
      return run(...call)
    }
    t.teardown(() => {
      executor.executeQuery = run
    })
    const counts: number[] = []
    await list('limit=1') // the caller is known from now on
    for (const query of [
      'limit=1',
      'limit=100',
      'items_per_page=1',
      'items_per_page=100',
      'page=900&items_per_page=100'
    ]) {
      queries = 0
      const { data } = await list(query)
      t.ok(data.every(({ roles, permissions }: { roles: string[]; permissions: string[] }) => roles && permissions))
      counts.push(queries)
    }
    t.ok(
      counts.every((count) => count >= 1 && count <= 2),
      counts.join()
    )
    t.equal(counts[0], counts[1])
    t.equal(counts[2], counts[3])
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
