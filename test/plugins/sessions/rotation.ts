import { createHmac } from 'node:crypto'
import { sql } from 'kysely'
import type { Test } from 'tap'
import type { OpenDatabase } from '../../../plugins/database/index.ts'
import type { SessionsOptions } from '../../../plugins/sessions/index.ts'
import { age, changesOf, client, key, newUser, rotate, rowOf, signIn, startHost, tokenOf } from './host.ts'

const DAY = 86_400

/** What becomes of refresh tokens, on both databases. */
export function testRotation(t: Test, database: OpenDatabase): void {
  const start = (t: Test, options: Partial<SessionsOptions> = {}) => startHost(t, database, options)

  t.test('R01 a rotation gives the next token, and the row remembers the client and the time', async (t) => {
    const app = await start(t)
    const user = newUser()
    const { id, refreshToken } = await signIn(app, user)
    await age(app, id, 60)
    const before = await rowOf(app, id)

    const rotation = await rotate(app, refreshToken, { user_agent: 'Firefox', ip: '2001:db8::1' })

    t.match(rotation, { outcome: 'rotated', session: { id, user_id: user } })
    t.match(tokenOf(rotation), new RegExp(`^rt_k1\\.${id}\\.1\\.`))
    const row = await rowOf(app, id)
    t.match(row, { counter: 1, user_agent: 'Firefox', ip: '2001:db8::1', expires_at: before.expires_at })
    t.ok(row.last_used_at > before.last_used_at)
    t.ok(row.rotated_at !== null && row.rotated_at > before.last_used_at)
    t.equal((await app.sessions.list(app.db, user)).length, 1, 'the row never multiplies')
    t.same(await changesOf(app, id), [], 'and nobody has to look anything up again')
  })

  t.test('a chain of rotations goes on and on', async (t) => {
    const app = await start(t)
    let { refreshToken } = await signIn(app)
    for (let round = 1; round <= 12; round++) {
      const rotation = await rotate(app, refreshToken)
      t.equal(rotation.outcome, 'rotated')
      refreshToken = tokenOf(rotation)
    }
  })

  t.test('R07 inside the grace the predecessor yields the same successor again, and again', async (t) => {
    const app = await start(t)
    const user = newUser()
    const { id, refreshToken } = await signIn(app, user)
    const first = await rotate(app, refreshToken)
    await age(app, id, 5)
    const { rotated_at } = await rowOf(app, id)

    for (const _ of [1, 2]) {
      const again = await rotate(app, refreshToken)
      t.match(again, { outcome: 'grace', session: { id, user_id: user } })
      t.equal(tokenOf(again), tokenOf(first))
    }
    const row = await rowOf(app, id)
    t.equal(row.counter, 1)
    t.equal(row.rotated_at, rotated_at, 'a grace use never extends the grace')
    t.equal((await rotate(app, tokenOf(first))).outcome, 'rotated', 'and the successor is good')
  })

  t.test('R02 after the grace a used token ends its session, and others hear of it', async (t) => {
    const app = await start(t)
    const user = newUser()
    const { id, refreshToken } = await signIn(app, user)
    const newest = tokenOf(await rotate(app, refreshToken))
    await age(app, id, 11)

    t.same(await rotate(app, refreshToken), { outcome: 'reused', session: { id, user_id: user } })

    const row = await rowOf(app, id)
    t.not(row.revoked_at, null)
    t.equal(row.revoked_reason, 'reuse')
    t.same(await changesOf(app, id), [`session:${id}`])
    t.same(await rotate(app, newest), { outcome: 'invalid' }, 'the newest token is dead too')
    t.same(await rotate(app, refreshToken), { outcome: 'invalid' })
    t.same(await changesOf(app, id), [`session:${id}`])
  })

  t.test('R06 two steps behind is reuse, in the same second', async (t) => {
    const app = await start(t)
    const user = newUser()
    const { id, refreshToken } = await signIn(app, user)
    await rotate(app, tokenOf(await rotate(app, refreshToken)))
    t.match(await rotate(app, refreshToken), { outcome: 'reused' })
    t.equal((await rowOf(app, id)).revoked_reason, 'reuse')
  })

  t.test('R06 without a grace any second use is reuse', async (t) => {
    const app = await start(t, { graceSeconds: 0 })
    const { refreshToken } = await signIn(app)
    await rotate(app, refreshToken)
    t.match(await rotate(app, refreshToken), { outcome: 'reused' })
  })

  t.test('R03 the other sessions of the user live on', async (t) => {
    const app = await start(t)
    const user = newUser()
    const { refreshToken } = await signIn(app, user)
    const other = await signIn(app, user)
    await rotate(app, tokenOf(await rotate(app, refreshToken)))
    t.match(await rotate(app, refreshToken), { outcome: 'reused' })
    t.match(await rotate(app, other.refreshToken), { outcome: 'rotated' })
  })

  t.test('a reuse found in a transaction that rolls back leaves the session as it was', async (t) => {
    const app = await start(t, { graceSeconds: 0 })
    const { id, refreshToken } = await signIn(app)
    await rotate(app, refreshToken)
    const refused = app.database.transaction(async (trx) => {
      t.match(await app.sessions.rotate(trx, refreshToken, client), { outcome: 'reused' })
      throw new Error('rolled back')
    })
    await t.rejects(refused, { message: 'rolled back' })
    t.equal((await rowOf(app, id)).revoked_at, null)
    t.same(await changesOf(app, id), [])
  })

  t.test('R09 a session that was idle for too long is over', async (t) => {
    const app = await start(t, { idleDays: 30 })
    const { id, refreshToken } = await signIn(app)
    await age(app, id, 30 * DAY - 60)
    const rotation = await rotate(app, refreshToken)
    t.equal(rotation.outcome, 'rotated')
    await age(app, id, 30 * DAY)
    t.same(await rotate(app, tokenOf(rotation)), { outcome: 'invalid' })
    t.equal((await rowOf(app, id)).revoked_at, null, 'which is no reuse')
  })

  t.test('R08 a session ends at its absolute end, however busy', async (t) => {
    const app = await start(t, { idleDays: 30, maxDays: 50 })
    const { id, refreshToken } = await signIn(app)
    await age(app, id, 29 * DAY)
    const second = await rotate(app, refreshToken)
    t.equal(second.outcome, 'rotated')
    const { expires_at } = await rowOf(app, id)
    t.equal('expiresAt' in second && second.expiresAt, expires_at, 'the token ends with it')
    await age(app, id, 21 * DAY + 60)
    t.same(await rotate(app, tokenOf(second)), { outcome: 'invalid' })
  })

  t.test('R01 forged and malformed tokens are invalid and touch no session', async (t) => {
    const app = await start(t)
    const { id, refreshToken } = await signIn(app)
    await rotate(app, refreshToken)
    const [prefix = '', , counter = '', mac = ''] = refreshToken.split('.')
    const text = `${prefix}.${id}.${counter}`
    const sign = (text: string, secret = key.key) => createHmac('sha256', secret).update(text).digest('base64url')
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    const twin = mac.slice(0, -1) + alphabet[alphabet.indexOf(mac.at(-1) ?? '') ^ 1]
    t.same(Buffer.from(twin, 'base64url'), Buffer.from(mac, 'base64url'), 'the same bytes in another spelling')

    const forged = [
      '',
      'rt_',
      'garbage',
      '\u0000',
      'x'.repeat(100_000),
      `${text}.`,
      text,
      `${text}.${twin}`,
      `${refreshToken}=`,
      `${refreshToken} `,
      ` ${refreshToken}`,
      `${refreshToken}\n`,
      `${text}.${sign(text, Buffer.alloc(32, 2))}`,
      `rt_k1.${id}.1.${mac}`,
      `rt_k2.${id}.0.${sign(`rt_k2.${id}.0`)}`,
      `rt_k1.${id}.00.${sign(`rt_k1.${id}.00`)}`,
      `rt_k1.${id}.-1.${sign(`rt_k1.${id}.-1`)}`,
      `rt_k1.${id.toUpperCase()}.0.${sign(`rt_k1.${id.toUpperCase()}.0`)}`
    ]
    for (const token of forged) {
      t.same(await rotate(app, token), { outcome: 'invalid' }, JSON.stringify(token.slice(0, 120)))
      t.equal(app.sessions.peek(token), null)
      const isGuess = token !== '' && !token.startsWith('rt_k2')
      t.equal(app.sessions.isForged(token), isGuess, 'a key that is not here may have made it')
    }
    t.equal(app.sessions.isForged(refreshToken), false, 'used, but ours')
    t.match(await rowOf(app, id), { counter: 1, revoked_at: null })
    const unknown = 'rt_k1.00000000-0000-4000-8000-000000000000.0'
    t.same(await rotate(app, `${unknown}.${sign(unknown)}`), { outcome: 'invalid' }, 'well signed, no such session')
    const ahead = `rt_k1.${id}.5`
    t.same(await rotate(app, `${ahead}.${sign(ahead)}`), { outcome: 'invalid' }, 'ahead of a restored database')
    t.match(await rowOf(app, id), { counter: 1, revoked_at: null })
  })

  t.test('after a change of keys old tokens rotate to new ones, and with the old key gone they end', async (t) => {
    const next = { kid: 'k2', key: Buffer.alloc(32, 2) }
    const before = await start(t)
    const during = await start(t, { keys: [next, key] })
    const after = await start(t, { keys: [next] })
    const { id, refreshToken } = await signIn(before)

    t.same(await rotate(after, refreshToken), { outcome: 'invalid' })
    const renewed = tokenOf(await rotate(during, refreshToken))
    t.match(renewed, new RegExp(`^rt_k2\\.${id}\\.1\\.`))
    t.match(await rotate(after, renewed), { outcome: 'rotated' })
  })

  t.test('the time of a rotation is when it happened, not when its transaction began', async (t) => {
    const app = await start(t)
    const { id, refreshToken } = await signIn(app)
    const isLater = await app.database.transaction(async (trx) => {
      await sql`select pg_sleep(0.01)`.execute(trx)
      await app.sessions.rotate(trx, refreshToken, client)
      const { rows } = await sql<{ later: boolean }>`
        select rotated_at > now() and last_used_at > now() as later from sessions where id = ${id}`.execute(trx)
      return rows[0]?.later
    })
    t.equal(isLater, true)
  })
}
