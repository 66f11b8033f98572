import { setTimeout as delay } from 'node:timers/promises'
import { crc32 } from 'node:zlib'
import { sql } from 'kysely'
import t from 'tap'
import { inventKey } from '../plugins/api-keys/suite.ts'
import { signUp, startApp } from '../support/app.ts'
import { apiKeyCalls, me, withKey } from './api-key-calls.ts'

const app = await startApp(t)
const { call, keys, createKey } = apiKeyCalls(app)

t.test('K01: a key is in the answer that made it, and never again', async (t) => {
  const { id: owner, headers } = await signUp(app)
  const created = await keys('POST', '', headers, { name: 'backup', days: 7, scopes: ['read:user:me'] })

  t.equal(created.statusCode, 201)
  const { api_key, ...metadata } = created.json().data
  t.match(api_key, /^pl_[0-9a-f]{32}_[0-9a-f]{48}_[0-9a-f]{8}$/)
  t.match(metadata, { name: 'backup', scopes: ['read:user:me'], is_active: true, last_used_at: null })
  t.equal(created.headers['cache-control'], 'no-store')
  t.match((await call('GET', String(created.headers.location), headers)).json().data, metadata)
  const listed = await keys('GET', '', headers)
  t.same(listed.json().data, [metadata])
  t.notOk(listed.body.includes(api_key.slice(36, 84)))
  const events = await app.db.selectFrom('audit_events').selectAll().where('target_id', '=', metadata.id).execute()
  t.match(events, [
    { action: 'api_key.created', actor_id: owner, target_type: 'api_key', details: { to: { name: 'backup' } } }
  ])
  t.notOk(JSON.stringify(events).includes(api_key.slice(36, 84)))

  const answer = await call('GET', me, withKey(api_key))
  t.match([answer.statusCode, answer.json().data.id], [200, owner])
})

t.test('K02: another secret, another id, or a key of nobody is a 401 that tells nothing', async (t) => {
  const { headers } = await signUp(app)
  const { key } = await createKey(headers)
  const other = await createKey(headers)
  const body = `${key.slice(0, 36)}${other.key.slice(36, 84)}`
  const crossed = `${body}_${crc32(body).toString(16).padStart(8, '0')}`

  for (const wrong of [crossed, key.slice(0, -1), `${key}x`, `${key}, ${key}`, 'pl_', '', ' ']) {
    const answer = await call('GET', me, withKey(wrong))
    t.match([answer.statusCode, answer.json().error_code], [401, 'API_KEY_INVALID'], wrong)
    t.match(answer.headers['www-authenticate'], /^Bearer realm="[^"]+"$/)
  }
  t.equal((await call('GET', me, withKey(key))).statusCode, 200)
})

t.test('K03: a key that was revoked, made inactive or has expired is dead on the next request', async (t) => {
  const { headers } = await signUp(app)
  const use = async (key: string) => (await call('GET', me, withKey(key))).statusCode
  const [one, two, three] = [await createKey(headers), await createKey(headers), await createKey(headers)]
  for (const { key } of [one, two, three]) t.equal(await use(key), 200)

  t.equal((await keys('DELETE', `/${one.id}`, headers)).statusCode, 204)
  t.equal(await use(one.key), 401)
  t.equal((await keys('DELETE', `/${one.id}`, headers)).statusCode, 404)
  t.match((await keys('GET', '', headers)).json().data.length, 2)

  t.equal((await keys('PATCH', `/${two.id}`, headers, { is_active: false })).statusCode, 200)
  t.equal(await use(two.key), 401)
  await keys('PATCH', `/${two.id}`, headers, { is_active: true, name: null })
  t.equal(await use(two.key), 200)

  await app.database.transaction(async (trx) => {
    await sql`update api_keys set expires_at = now() where id = ${three.id}`.execute(trx)
    await app.changes.record(trx, 'api_key', three.id)
  })
  t.equal(await use(three.key), 401)
})

t.test('K05: the access token comes first, the key second, and never both together', async (t) => {
  const [ada, bob] = [await signUp(app), await signUp(app)]
  const { key } = await createKey(ada.headers)
  const bearer = (token: string) => ({ authorization: `Bearer ${token}`, ...withKey(key) })

  t.equal((await call('GET', me, bearer(bob.accessToken))).json().data.id, bob.id, 'a good token')
  for (const bad of ['x', `${bob.accessToken}x`, '']) {
    t.equal((await call('GET', me, bearer(bad))).json().data.id, ada.id, 'a bad one')
  }
  await call('POST', '/api/v1/auth/logout', bob.headers)
  t.equal((await call('GET', me, bearer(bob.accessToken))).json().data.id, ada.id, 'one whose session has ended')

  const bad = await app.inject({ url: me, headers: { authorization: 'Bearer x', 'x-api-key': 'pl_nothing' } })
  t.match([bad.statusCode, bad.headers['www-authenticate']], [401, /error="invalid_token"/])
})

t.test('K06: a key in the query string, a cookie, the body or another header is not looked at', async (t) => {
  const { headers } = await signUp(app)
  const { key } = await createKey(headers)
  for (const name of ['api_key', 'x-api-key', 'X-API-Key', 'key']) {
    const answer = await call('GET', `${me}?${name}=${key}`, {})
    t.match([answer.statusCode, answer.json().error_code], [401, 'UNAUTHORIZED'], name)
  }
  for (const other of [
    { cookie: `x-api-key=${key}` },
    { 'api-key': key },
    { authorization: `ApiKey ${key}` },
    { authorization: `Bearer ${key}` }
  ]) {
    t.equal((await call('GET', me, other)).statusCode, 401)
  }
})

t.test('K07: requests with a key do not write, and the last use follows', async (t) => {
  const { headers } = await signUp(app)
  const { key, id } = await createKey(headers)
  for (let times = 0; times < 20; times++) await call('GET', me, withKey(key))
  const lastUsed = async () => (await keys('GET', `/${id}`, headers)).json().data.last_used_at
  const deadline = Date.now() + 10_000
  while ((await lastUsed()) === null && Date.now() < deadline) await delay(50)
  const first = await lastUsed()
  t.ok(Math.abs(Date.parse(first) - Date.now()) < 60_000)

  const writes = async () => {
    const { rows } = await sql<{ xmin: string }>`select xmin::text from api_keys where id = ${id}`.execute(app.db)
    return rows[0]?.xmin
  }
  const before = await writes()
  for (let times = 0; times < 20; times++) await call('GET', me, withKey(key))
  t.equal(await writes(), before)
})

t.test('K08: a rotated key is good until the cut-off, and only the new one after it', async (t) => {
  const { headers } = await signUp(app)
  const { key, id } = await createKey(headers)
  const use = async (one: string) => (await call('GET', me, withKey(one))).statusCode
  t.equal(await use(key), 200)

  const rotated = await keys('POST', `/${id}/rotate`, headers, {})
  t.match([rotated.statusCode, rotated.json().data.id], [200, id])
  t.equal(rotated.headers['cache-control'], 'no-store')
  const next = rotated.json().data.api_key
  t.same([await use(key), await use(next)], [200, 200])

  await app.database.transaction(async (trx) => {
    await sql`update api_keys set previous_until = now() where id = ${id}`.execute(trx)
    await app.changes.record(trx, 'api_key', id)
  })
  t.same([await use(key), await use(next)], [401, 200])

  const last = (await keys('POST', `/${id}/rotate`, headers, { overlap_seconds: 0 })).json().data.api_key
  t.same([await use(next), await use(last)], [401, 200], 'no overlap')
})

t.test('an id in upper case names the same key to everything that remembers it', async (t) => {
  const { headers } = await signUp(app)
  const { key, id } = await createKey(headers)
  const use = async (text: string) => (await call('GET', me, withKey(text))).statusCode
  t.equal(await use(key), 200)
  const upper = `/${id.toUpperCase()}`
  const rotated = (await keys('POST', `${upper}/rotate`, headers, { overlap_seconds: 0 })).json().data.api_key
  t.same([await use(key), await use(rotated)], [401, 200])
  t.equal((await keys('PATCH', upper, headers, { is_active: false })).statusCode, 200)
  t.equal(await use(rotated), 401)
  const event = app.db.selectFrom('audit_events').select('action').where('target_id', '=', id).orderBy('id')
  t.same(
    (await event.execute()).map(({ action }) => action),
    ['api_key.created', 'api_key.rotated', 'api_key.updated']
  )
})

t.test('K04 P11: guessing keys locks a client out; good, revoked and mistyped keys do not', async (t) => {
  const strict = await startApp(t, { MAX_FAILED_ATTEMPTS: '3' })
  const { headers } = await signUp(strict)
  const make = async () =>
    (await strict.inject({ method: 'POST', url: '/api/v1/api-keys', headers, payload: {} })).json().data
  const [good, revoked] = [await make(), await make()]
  await strict.inject({ method: 'DELETE', url: `/api/v1/api-keys/${revoked.id}`, headers })
  const use = (key: string, more: Record<string, string> = {}) =>
    strict.inject({ url: me, headers: { ...withKey(key), ...more } })
  const forged = { authorization: `Bearer ${headers.authorization.slice(7, -4)}AAAA` }

  for (let times = 0; times < 5; times++) {
    t.equal((await use(revoked.api_key)).statusCode, 401)
    t.equal((await use(good.api_key.slice(0, -1))).statusCode, 401)
    t.equal((await use(good.api_key, forged)).statusCode, 200, 'another credential let it in')
  }
  for (let times = 0; times < 3; times++) t.equal((await use(inventKey())).statusCode, 401)
  const locked = await use(inventKey())
  t.match([locked.statusCode, locked.json().error_code], [429, 'LOCKED_OUT'])
  t.match(locked.headers['retry-after'], /^\d+$/)
  t.equal((await use(good.api_key)).statusCode, 200, 'valid credentials pass')
})

t.test('what is malformed is refused by field', async (t) => {
  const { headers } = await signUp(app)
  const { id } = await createKey(headers)
  for (const payload of [
    { days: 0 },
    { days: 366 },
    { days: '7' },
    { scopes: ['a', 'a'] },
    { name: '' },
    { scopes: 'a' }
  ]) {
    t.equal((await keys('POST', '', headers, payload)).statusCode, 422, JSON.stringify(payload))
  }
  t.equal((await keys('PATCH', `/${id}`, headers, {})).statusCode, 422)
  t.equal((await keys('POST', `/${id}/rotate`, headers, { overlap_seconds: 604_801 })).statusCode, 422)
  t.equal((await keys('GET', '/not-an-id', headers)).statusCode, 422)
})
