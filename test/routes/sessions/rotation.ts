import { createHmac } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import { sql } from 'kysely'
import type { Test } from 'tap'
import { signIn, signUp } from '../../support/app.ts'
import { DAY, sessionClient } from './client.ts'

/** What becomes of refresh tokens. */
export function testRotation(t: Test, app: FastifyInstance): void {
  const { refresh, statusOf, rowOf, eventsAbout, rotated, age } = sessionClient(app)

  t.test('R01: each refresh gives a new token, and the one before is of no more use', async (t) => {
    const user = await signUp(app)

    const first = await refresh(user.refreshToken)

    t.equal(first.statusCode, 200)
    const second = await rotated(first.json().data.refresh_token)
    t.equal(new Set([user.refreshToken, first.json().data.refresh_token, second.refreshToken]).size, 3)
    t.match(await rowOf(user.refreshToken), { counter: 2, revoked_at: null })
    t.equal(await statusOf(second.headers), 200)
    t.equal((await refresh(user.refreshToken)).statusCode, 401)
  })

  t.test('R02: a used token that comes back after the grace ends its session, access tokens included', async (t) => {
    const user = await signUp(app)
    const newest = await rotated(user.refreshToken)
    t.equal(await statusOf(newest.headers), 200)
    await age(user.refreshToken, 11)

    const reused = await refresh(user.refreshToken)

    t.match([reused.statusCode, reused.json().error_code], [401, 'REFRESH_TOKEN_REUSED'])
    const row = await rowOf(user.refreshToken)
    t.not(row.revoked_at, null, 'stored although the request was refused')
    t.equal(row.revoked_reason, 'reuse')
    t.same((await eventsAbout(row.id)).at(-1), { action: 'session.reused', actor_id: user.id, details: null })
    t.match((await refresh(newest.refreshToken)).json(), { code: 401, error_code: 'REFRESH_TOKEN_INVALID' })
    t.equal(await statusOf(newest.headers), 401)
    t.equal(await statusOf(user.headers), 401)
  })

  t.test('R03: the other sessions of the user live on', async (t) => {
    const user = await signUp(app)
    const other = await signIn(app, user)
    await rotated((await rotated(user.refreshToken)).refreshToken)

    t.equal((await refresh(user.refreshToken)).json().error_code, 'REFRESH_TOKEN_REUSED')

    t.equal(await statusOf(other.headers), 200)
    t.equal((await refresh(other.refreshToken)).statusCode, 200)
  })

  t.test('R04: 50 refreshes at once with one token get the same successor', async (t) => {
    const user = await signUp(app)

    const answers = await Promise.all(Array.from({ length: 50 }, () => refresh(user.refreshToken)))

    t.same([...new Set(answers.map(({ statusCode }) => statusCode))], [200])
    const successors = new Set(answers.map((answer) => answer.json().data.refresh_token))
    t.equal(successors.size, 1)
    t.match(await rowOf(user.refreshToken), { counter: 1, revoked_at: null })
    t.equal((await refresh([...successors][0])).statusCode, 200, 'and it is good')
  })

  t.test('R06: a token two steps old is refused in the same second', async (t) => {
    const user = await signUp(app)
    const { refreshToken } = await rotated((await rotated(user.refreshToken)).refreshToken)

    t.equal((await refresh(user.refreshToken)).json().error_code, 'REFRESH_TOKEN_REUSED')
    t.equal((await refresh(refreshToken)).statusCode, 401)
  })

  t.test('R07: a lost answer can be asked for again, in the grace and no longer', async (t) => {
    const user = await signUp(app)
    const first = await rotated(user.refreshToken)
    await age(user.refreshToken, 5)

    t.equal((await rotated(user.refreshToken)).refreshToken, first.refreshToken, 'the same successor')

    await age(user.refreshToken, 5)
    t.equal((await refresh(user.refreshToken)).json().error_code, 'REFRESH_TOKEN_REUSED', 'the grace is not extended')
  })

  t.test('R08: a session ends after 90 days, however often it was refreshed', async (t) => {
    const user = await signUp(app)
    let { refreshToken } = user
    for (const _ of [1, 2, 3, 4]) {
      await age(user.refreshToken, 22 * DAY)
      refreshToken = (await rotated(refreshToken)).refreshToken
    }
    await age(user.refreshToken, 2 * DAY)

    const late = await refresh(refreshToken)

    t.match([late.statusCode, late.json().error_code], [401, 'REFRESH_TOKEN_INVALID'])
    t.match(await rowOf(user.refreshToken), { counter: 4, revoked_at: null }, 'which is no reuse')
    t.same(await app.sessions.list(app.db, (await rowOf(user.refreshToken)).user_id), [])
  })

  t.test('R09: a session unused for 30 days is over', async (t) => {
    const [busy, idle] = [await signUp(app), await signUp(app)]
    await age(busy.refreshToken, 30 * DAY - 60)
    await age(idle.refreshToken, 30 * DAY)

    t.equal((await refresh(busy.refreshToken)).statusCode, 200)
    t.match((await refresh(idle.refreshToken)).json(), { code: 401, error_code: 'REFRESH_TOKEN_INVALID' })
  })

  t.test('R10: who reads the database cannot make a refresh token', async (t) => {
    const user = await signUp(app)
    const row = await rowOf(user.refreshToken)
    const { rows } = await sql<{ row: string }>`select sessions::text as row from sessions`.execute(app.db)
    const [text, mac = ''] = user.refreshToken.split(/\.(?=[^.]+$)/)
    t.ok(Buffer.from(mac, 'base64url').length >= 16, 'at least 128 bits')
    t.notOk(rows.some(({ row }) => row.includes(mac)))

    for (const key of [row.id, row.created_at, '', user.id]) {
      const forged = `${text}.${createHmac('sha256', key).update(`${text}`).digest('base64url')}`
      t.match((await refresh(forged)).json(), { code: 401, error_code: 'REFRESH_TOKEN_INVALID' })
    }
    t.match(await rowOf(user.refreshToken), { counter: 0, revoked_at: null }, 'and a forged one ends no session')
  })
}
