import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import t from 'tap'
import { openDatabase } from '../../../plugins/database/index.ts'
import { generateSecrets } from '../../../src/secrets.ts'
import { roomyLimits } from '../../support/app.ts'
import { services, startServer } from '../../support/server.ts'
import { create, signUp } from './crash.ts'

const ROUNDS = 50

t.setTimeout(600_000)

t.test('I04: the server is killed between effect and answer, and the retry has no second effect', async (t) => {
  const variables: Record<string, string> = { ...(await services(t)), ...generateSecrets(), ...roomyLimits }
  // The retries come from other processes than the server itself would know: they meet only what is in the database.
  const survivor = await startServer(t, variables)
  const database = await openDatabase({ url: variables.DATABASE_URL ?? '' })
  t.teardown(() => database.close())
  const headers = await signUp(survivor.url)
  const todos = async (title: string) => {
    const { rows } = await sql`select 1 from todos where title = ${title}`.execute(database.db)
    return rows.length
  }
  const isInside = async () => {
    const { rows } = await sql`select 1 from pg_stat_activity where wait_event = 'PgSleep'`.execute(database.db)
    return rows.length > 0
  }
  await sql`create function linger() returns trigger language plpgsql as $$
    begin if new.key like '%inside' then perform pg_sleep(0.2); end if; return new; end $$`.execute(database.db)
  await sql`create trigger linger before insert on idempotency_keys for each row execute function linger()`.execute(
    database.db
  )

  const seen = { lost: 0, kept: 0 }
  for (let round = 0; round < ROUNDS; round++) {
    const victim = await startServer(t, variables)
    // Before the commit, with the todo inserted and the key not; right after the commit; or wherever it happens to be.
    const moment = (['inside', 'committed', 'anywhere'] as const)[round % 3] ?? 'anywhere'
    const key = `${round}-${moment}`
    const answer = create(victim.url, headers, key).catch(() => undefined)
    if (moment === 'anywhere') await sleep(Math.random() * 20)
    else await until(moment === 'inside' ? isInside : async () => (await todos(key)) === 1)
    victim.child.kill('SIGKILL')
    await victim.exited
    await answer

    const retry = await untilFree(() => create(survivor.url, headers, key))
    t.equal(retry.status, 201, key)
    t.equal(await todos(key), 1, `${key}: one todo`)
    const isReplay = retry.headers.get('idempotency-replayed') === 'true'
    if (moment !== 'anywhere') t.equal(isReplay, moment === 'committed', key)
    seen[isReplay ? 'kept' : 'lost']++
  }
  t.comment(`${ROUNDS} kills: ${seen.kept} effects were committed, ${seen.lost} rolled back`)
})

/** PostgreSQL may take a moment to notice that the process whose transaction holds the key is gone. */
async function untilFree(request: () => Promise<Response>): Promise<Response> {
  let answer = await request()
  await until(async () => {
    if (answer.status === 409) answer = await request()
    return answer.status !== 409
  })
  return answer
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 20_000
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error('It did not happen in time')
    await sleep(2)
  }
}
