import { setTimeout as delay } from 'node:timers/promises'
import { sql } from 'kysely'
import t, { type Test } from 'tap'
import { migrateUp } from '../../db/migrate.ts'
import { openDatabase } from '../../plugins/database/index.ts'
import { generateSecrets } from '../../src/secrets.ts'
import { roomyLimits } from '../support/app.ts'
import { testDatabase } from '../support/database.ts'
import { startPostgres } from '../support/own-postgres.ts'
import { startRedis } from '../support/own-redis.ts'
import { startServer } from '../support/server.ts'

t.setTimeout(600_000)

const account = { email: 'ada@example.com', username: 'ada', password: 'Correct-horse-1' }

/** Two processes of one service, and somebody who has an account there. */
async function startPair(t: Test, variables: Record<string, string>) {
  const shared = { ...generateSecrets(), ...roomyLimits, LOG_LEVEL: 'error', ...variables }
  const [one, other] = await Promise.all([startServer(t, shared), startServer(t, shared)])
  const servers = [one.url, other.url] as const
  await post(one.url, 'register', account)
  return { servers, signIn: () => signIn(one.url) }
}

async function post(server: string, path: string, body?: object, headers = {}) {
  const init = body
    ? { body: JSON.stringify(body), headers: { 'content-type': 'application/json', ...headers } }
    : { headers }
  const answer = await fetch(`${server}/api/v1/auth/${path}`, { method: 'POST', ...init })
  const text = await answer.text()
  return { status: answer.status, body: text === '' ? null : JSON.parse(text) }
}

async function signIn(server: string) {
  const { status, body } = await post(server, 'login', {
    identifier: 'ada',
    password: account.password,
    delivery: 'body'
  })
  if (status !== 200) throw new Error(`login: ${status} ${JSON.stringify(body)}`)
  return {
    refreshToken: body.data.refresh_token as string,
    headers: { authorization: `Bearer ${body.data.access_token}` }
  }
}

const refresh = (server: string, refresh_token: string) => post(server, 'refresh', { refresh_token })
const statusAt = async (server: string, headers: Record<string, string>) =>
  (await fetch(`${server}/api/v1/users/me`, { headers })).status

for (const isWithRedis of [true, false]) {
  const title = `R05: 100 × 50 refreshes at once over two processes, ${isWithRedis ? 'with' : 'without'} Redis`
  t.test(title, async (t) => {
    const { url = '' } = await testDatabase(t, 'services')
    const redis = isWithRedis ? { REDIS_URL: (await startRedis(t)).url } : {}
    const { servers, signIn } = await startPair(t, { DATABASE_URL: url, ...redis })
    const database = await openDatabase({ url, poolSize: 1 })
    t.teardown(() => database.close())
    const forked: number[] = []
    const statuses = new Set<number>()

    for (let round = 1; round <= 100; round++) {
      const { refreshToken, headers } = await signIn()
      const answers = await Promise.all(
        Array.from({ length: 50 }, (_, n) => refresh(servers[n % 2 === 0 ? 0 : 1], refreshToken))
      )
      for (const { status } of answers) statuses.add(status)
      const successors = [...new Set(answers.map(({ body }) => body.data?.refresh_token))]
      if (successors.length !== 1) forked.push(round)

      // The grace is over: whoever still comes with the first token ends it all.
      const id = refreshToken.split('.')[1]
      await sql`update sessions set rotated_at = rotated_at - interval '11 seconds' where id = ${id}`.execute(
        database.db
      )
      const reused = await refresh(servers[1], refreshToken)
      const after = await refresh(servers[0], successors[0])
      if (reused.body.error_code !== 'REFRESH_TOKEN_REUSED' || after.status !== 401) forked.push(round)
      if ((await statusAt(servers[1], headers)) !== 401) forked.push(round)
    }

    t.same([...statuses], [200], 'no 5xx, nobody refused')
    t.same(forked, [], 'one live branch each time, and none after the reuse')
  })
}

t.test('A10: a dead token stays dead whatever becomes of Redis', async (t) => {
  const { url = '' } = await testDatabase(t, 'services')
  const redis = await startRedis(t)
  const { servers, signIn } = await startPair(t, { DATABASE_URL: url, REDIS_URL: redis.url })
  const live = await signIn()
  const dead: Array<Record<string, string>> = []

  /** Signs in, is known to both processes, and signs out. */
  async function signInAndOut() {
    const { headers } = await signIn()
    for (const server of servers) t.equal(await statusAt(server, headers), 200)
    t.equal((await post(servers[0], 'logout', undefined, headers)).status, 204)
    t.equal(await statusAt(servers[0], headers), 401, 'at once')
    await delay(1000)
    dead.push(headers)
  }

  async function check(when: string) {
    for (const server of servers) {
      for (const headers of dead) t.equal(await statusAt(server, headers), 401, when)
      t.equal(await statusAt(server, live.headers), 200, `${when}, and a live one lives`)
    }
  }

  await signInAndOut()
  await check('after a second')
  await redis.command('FLUSHALL')
  await check('after FLUSHALL')
  redis.freeze()
  await check('while Redis is frozen')
  await signInAndOut()
  await check('signed out while Redis was frozen')
  redis.thaw()
  await check('once Redis thawed')
  await delay(2000)
  await check('two seconds later')
  await redis.kill()
  await signInAndOut()
  await check('without Redis')
  await redis.start()
  await delay(2000)
  await check('with an empty Redis again')
})

t.test('A10: nothing revoked comes back when the database freezes right after', async (t) => {
  const postgres = await startPostgres(t)
  const setup = await openDatabase({ url: postgres.url })
  await migrateUp(setup.db).finally(() => setup.close())
  const { servers, signIn } = await startPair(t, { DATABASE_URL: postgres.url, DB_STATEMENT_TIMEOUT_MS: '1000' })

  for (let round = 1; round <= 3; round++) {
    const { headers } = await signIn()
    for (const server of servers) t.equal(await statusAt(server, headers), 200)

    t.equal((await post(servers[0], 'logout', undefined, headers)).status, 204)
    const endedAt = performance.now()
    postgres.freeze()

    const seen = new Set<number>()
    while (performance.now() - endedAt < 3000) {
      t.not(await statusAt(servers[0], headers), 200, 'dead here while nothing answers')
      const askedMs = performance.now() - endedAt
      const status = await statusAt(servers[1], headers)
      if (askedMs > 1000) seen.add(status)
      await delay(20)
    }
    postgres.thaw()
    const thawedAt = performance.now()
    while (performance.now() - thawedAt < 2000) {
      for (const server of servers) seen.add(await statusAt(server, headers))
      await delay(20)
    }

    t.notOk(seen.has(200), `a second after signing out there were only ${[...seen]}`)
    for (const server of servers) t.equal(await statusAt(server, headers), 401)
  }
})
