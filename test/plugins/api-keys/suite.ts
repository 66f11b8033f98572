import { createHash, randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { crc32 } from 'node:zlib'
import Fastify from 'fastify'
import { type Kysely, sql } from 'kysely'
import type { Test } from 'tap'
import {
  type ApiKeysOptions,
  type ApiKeysTable,
  apiKeysMigration,
  apiKeysPlugin
} from '../../../plugins/api-keys/index.ts'
import { changesPlugin } from '../../../plugins/changes/index.ts'
import { up as createChanges } from '../../../plugins/changes/migration.ts'
import { databasePlugin, type OpenDatabase } from '../../../plugins/database/index.ts'

/** A well-formed key that nobody made. */
export function inventKey(prefix = 'pl'): string {
  const random = () => randomUUID().replaceAll('-', '')
  const body = `${prefix}_${random()}_${(random() + random()).slice(0, 48)}`
  return `${body}_${crc32(body).toString(16).padStart(8, '0')}`
}

/** What the plugin promises on both databases. `database` is empty; `statements` counts what reaches it. */
export async function apiKeysSuite(t: Test, database: OpenDatabase, statements: () => number): Promise<void> {
  await createChanges(database.db as Kysely<unknown>)
  await apiKeysMigration().up(database.db)
  const clock = { ms: 1_800_000_000_000 }

  async function start(t: Test, options: ApiKeysOptions = {}) {
    const app = Fastify()
    t.teardown(() => app.close())
    await app.register(databasePlugin, { database })
    await app.register(changesPlugin)
    await app.register(apiKeysPlugin, { now: () => clock.ms, ...options })
    return app
  }
  const app = await start(t)
  const { apiKeys } = app
  const { transaction } = app.database
  const proofOf = (text: string) => {
    const proof = apiKeys.read(text)
    if (proof === null) throw new Error(`${text} is not well formed`)
    return proof
  }
  const find = (text: string) => apiKeys.find(proofOf(text))
  let users = 0
  const create = (options: { user_id?: number; scopes?: string[]; days?: number } = {}) =>
    transaction((trx) => apiKeys.create(trx, { user_id: ++users, name: null, scopes: ['a', 'b'], ...options }))
  const rowOf = (id: string) =>
    (database.db as Kysely<{ api_keys: ApiKeysTable }>)
      .selectFrom('api_keys')
      .selectAll()
      .where('id', '=', id)
      .executeTakeFirstOrThrow()
  const changesOf = async (id: string) => {
    const { rows } = await sql`select kind from changes where key = ${id}`.execute(database.db)
    return rows.length
  }

  t.test('K01: a key is 192 random bits, shown once, and only its hash is stored', async (t) => {
    const { text, id, ...summary } = await create({ days: 30 })

    t.match(text, /^pl_[0-9a-f]{32}_[0-9a-f]{48}_[0-9a-f]{8}$/)
    const row = await rowOf(id)
    t.equal(row.secret_hash, createHash('sha256').update(text).digest('base64url'))
    t.notOk(JSON.stringify(row).includes(text.slice(36, 84)))
    const days = (Date.parse(summary.expires_at) - Date.parse(summary.created_at)) / 86_400_000
    t.ok(Math.abs(days - 30) < 0.1)
    t.match(await find(text), { id, user_id: row.user_id, scopes: ['a', 'b'], valid_until: summary.expires_at })
    const all = new Set(await Promise.all(Array.from({ length: 20 }, async () => (await create()).text)))
    t.equal(all.size, 20)
  })

  t.test('K02: a right id with a wrong secret is an unknown key', async (t) => {
    const { text, id } = await create()
    const body = `${text.slice(0, 36)}${'0'.repeat(48)}`
    const guess = `${body}_${crc32(body).toString(16).padStart(8, '0')}`

    t.equal(proofOf(guess).id, id)
    t.equal(await find(guess), null)
    t.equal(apiKeys.isUnknown(proofOf(guess)), true)
    t.ok(await find(text))
    t.equal(apiKeys.isUnknown(proofOf(text)), false)
  })

  t.test('K04: what is no key, or has a wrong checksum, costs no query, and an unknown one costs one', async (t) => {
    const { text } = await create()
    const before = statements()
    const wrong = [
      ...[
        '',
        'pl_',
        'x'.repeat(93),
        text.slice(0, -1),
        `${text}0`,
        text.toUpperCase(),
        ` ${text.slice(1)}`,
        inventKey('qq')
      ],
      ...Array.from(text, (character, index) =>
        character === '_' ? '' : text.slice(0, index) + (character === '0' ? '1' : '0') + text.slice(index + 1)
      )
    ]
    for (const key of wrong) t.equal(apiKeys.read(key), null, key)
    t.equal(statements(), before)

    const invented = inventKey()
    for (let times = 0; times < 5; times++) t.equal(await find(invented), null)
    t.equal(statements(), before + 1)
  })

  t.test('K03: expired, inactive and revoked keys are found no more, and are not taken for guesses', async (t) => {
    const [expired, inactive, revoked] = [await create(), await create(), await create()]
    await sql`update api_keys set expires_at = now() where id = ${expired.id}`.execute(database.db)
    const { user_id } = await rowOf(inactive.id)
    await transaction((trx) => apiKeys.update(trx, user_id, inactive.id, { is_active: false }))
    const owner = (await rowOf(revoked.id)).user_id
    t.equal(await transaction((trx) => apiKeys.revoke(trx, owner + 999, revoked.id)), false, 'not theirs')
    t.equal(await transaction((trx) => apiKeys.revoke(trx, owner, revoked.id)), true)
    t.equal(await transaction((trx) => apiKeys.revoke(trx, owner, revoked.id)), false)

    for (const { text, id } of [expired, inactive, revoked]) {
      t.equal(await find(text), null)
      t.equal(apiKeys.isUnknown(proofOf(text)), false)
      t.equal(await changesOf(id), id === expired.id ? 0 : 1)
    }
    await transaction((trx) => apiKeys.update(trx, user_id, inactive.id, { is_active: true }))
    t.ok(await find(inactive.text), 'active again')
    t.same(await apiKeys.list(database.db, owner), [], 'a revoked key is not listed')
    t.equal(await apiKeys.get(database.db, owner, revoked.id), undefined)
  })

  t.test('K08: after a rotation both keys are good until the cut-off, then only the new one', async (t) => {
    const first = await create()
    const { user_id } = await rowOf(first.id)
    const rotate = (overlapSeconds: number) =>
      transaction((trx) => apiKeys.rotate(trx, user_id, first.id, { days: 60, overlapSeconds }))

    const second = await rotate(3600)
    t.equal(second?.id, first.id)
    t.match(await find(first.text), { id: first.id })
    t.match(await find(second?.text ?? ''), { valid_until: second?.expires_at })
    const until = Date.parse((await find(first.text))?.valid_until ?? '')
    t.ok(Math.abs(until - Date.now() - 3_600_000) < 120_000, 'not for longer than asked')
    t.ok(Date.parse(second?.expires_at ?? '') > Date.parse(first.expires_at))

    await sql`update api_keys set previous_until = now() where id = ${first.id}`.execute(database.db)
    t.equal(await find(first.text), null)
    t.ok(await find(second?.text ?? ''))

    const third = await rotate(0)
    t.equal(await find(second?.text ?? ''), null, 'no overlap')
    t.ok(await find(third?.text ?? ''))
    t.equal(await transaction((trx) => apiKeys.rotate(trx, user_id + 999, first.id, { overlapSeconds: 0 })), undefined)
  })

  t.test('K08: the key before does not outlive its own end', async (t) => {
    const { id, text, expires_at } = await create({ days: 1 })
    const { user_id } = await rowOf(id)
    await transaction((trx) => apiKeys.rotate(trx, user_id, id, { overlapSeconds: 604_800 }))
    t.equal((await find(text))?.valid_until, expires_at)
  })

  t.test('K07: the last use is written once a minute, in one statement, and not by the request', async (t) => {
    const keys = [await create(), await create()]
    const before = statements()
    for (let times = 0; times < 100; times++) for (const { id } of keys) apiKeys.noteUse(id)
    t.equal(statements(), before, 'nothing yet')
    const used = () => Promise.all(keys.map(async ({ id }) => (await rowOf(id)).last_used_at))
    const deadline = Date.now() + 10_000
    while ((await used()).includes(null) && Date.now() < deadline) await delay(50)

    const first = await used()
    t.notOk(first.includes(null))
    clock.ms += 61_000
    for (const { id } of keys) apiKeys.noteUse(id)
    await app.close()
    t.same(await used(), first, 'another process has written it within the minute')
    t.equal((await rowOf((await create()).id)).last_used_at, null)
  })

  t.test('Z07: scopes can be narrowed and never widened', async (t) => {
    const app = await start(t)
    const { id, text } = await create({ scopes: ['a', 'b'] })
    const { user_id } = await rowOf(id)
    const update = (scopes: string[]) => transaction((trx) => app.apiKeys.update(trx, user_id, id, { scopes }))

    t.match(await update(['a']), { scopes: ['a'] })
    await t.rejects(update(['a', 'b']), { code: 'SCOPES_NOT_NARROWER', statusCode: 422 })
    await t.rejects(update(['c']), { code: 'SCOPES_NOT_NARROWER' })
    t.same((await find(text))?.scopes, ['a'])
    t.match(await update([]), { scopes: [] })
  })

  t.test('a user has so many keys at most, also when they are made at once', async (t) => {
    const app = await start(t, { maxKeys: 3 })
    const make = () => transaction((trx) => app.apiKeys.create(trx, { user_id: 7777, name: null, scopes: [] }))
    const made = await Promise.allSettled(Array.from({ length: 10 }, make))
    t.equal(made.filter(({ status }) => status === 'fulfilled').length, 3)
    t.equal((await app.apiKeys.list(database.db, 7777)).length, 3)
    await t.rejects(make(), { code: 'TOO_MANY_API_KEYS', statusCode: 409 })
    t.equal(await transaction((trx) => app.apiKeys.revokeAll(trx, 7777)), 3)
    t.ok(await make())
  })

  t.test('dead keys are deleted a month later, in batches', async (t) => {
    const app = await start(t)
    await sql`
      insert into api_keys (id, user_id, scopes, secret_hash, expires_at, revoked_at)
      select gen_random_uuid(), 9999, '{}', '', now() + make_interval(days => case when n % 2 = 0 then -31 else 5 end),
        case when n % 3 = 0 then now() - interval '31 days' when n % 3 = 1 then now() end
      from generate_series(1, 60) as n`.execute(database.db)
    t.equal(await app.apiKeys.prune(database.db, { limit: 15 }), 15)
    t.equal(await app.apiKeys.prune(database.db), 25)
    t.equal(await app.apiKeys.prune(database.db), 0)
  })

  t.test('options that make no sense stop the start, and days beyond the bound are refused', async (t) => {
    for (const options of [{ prefix: 'P' }, { prefix: 'a_b' }, { maxDays: 0 }, { defaultDays: 400 }, { maxKeys: 0 }]) {
      await t.rejects(start(t, options), /^api-keys: /, JSON.stringify(options))
    }
    const app = await start(t, { maxDays: 90 })
    for (const days of [0, 91, 1.5]) {
      const create = transaction((trx) => app.apiKeys.create(trx, { user_id: 1, name: null, scopes: [], days }))
      await t.rejects(create, RangeError)
    }
  })
}
