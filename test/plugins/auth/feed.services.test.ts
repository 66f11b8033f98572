import { setTimeout as delay } from 'node:timers/promises'
import Fastify from 'fastify'
import type { Kysely } from 'kysely'
import t, { type Test } from 'tap'
import { accessTokensPlugin } from '../../../plugins/access-tokens/index.ts'
import { authPlugin } from '../../../plugins/auth/index.ts'
import { changesPlugin } from '../../../plugins/changes/index.ts'
import { up as createChanges } from '../../../plugins/changes/migration.ts'
import { databasePlugin, openDatabase } from '../../../plugins/database/index.ts'
import { sessionsMigration, sessionsPlugin } from '../../../plugins/sessions/index.ts'
import type { SessionsTables } from '../../../plugins/sessions/table.ts'
import { emptyDatabase } from '../../support/database.ts'
import { principal } from './host.ts'

const url = await emptyDatabase(t)
const setup = await openDatabase({ url })
await createChanges(setup.db as Kysely<unknown>)
await sessionsMigration().up(setup.db)
await setup.close()

/** A process of a service that remembers who is calling. */
async function startProcess(t: Test) {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(databasePlugin, { url })
  await app.register(changesPlugin)
  await app.register(sessionsPlugin, { keys: [{ kid: 'k1', key: Buffer.alloc(32, 1) }] })
  await app.register(accessTokensPlugin, {
    keys: [{ algorithm: 'HS256', secret: 'a secret of thirty-two bytes, at the least' }],
    issuer: 'issuer',
    audience: 'audience'
  })
  const db = app.db.withTables<SessionsTables>()
  await app.register(authPlugin, {
    kinds: ['session'],
    load: async ({ sub, sid }) => {
      const live = await db
        .selectFrom('sessions')
        .select('id')
        .where('id', '=', sid)
        .where('revoked_at', 'is', null)
        .executeTakeFirst()
      return live ? { principal: principal(sub, sid), tags: [`session:${sid}`] } : null
    }
  })
  app.get('/me', { config: { auth: 'required' } }, (request) => request.caller.id)
  await app.ready()
  return app
}

t.test('A10 a revoked session is dead at once here, and within a second in other processes', async (t) => {
  const here = await startProcess(t)
  const there = await startProcess(t)
  const client = { user_agent: null, ip: null }
  const { id } = await here.database.transaction((trx) => here.sessions.create(trx, { user_id: 1, ...client }))
  const authorization = `Bearer ${here.accessTokens.sign({ sub: 'ana', sid: id }).token}`
  const statusAt = async (app: typeof here) => (await app.inject({ url: '/me', headers: { authorization } })).statusCode
  t.equal(await statusAt(here), 200)
  t.equal(await statusAt(there), 200)

  await here.database.transaction((trx) => here.sessions.revoke(trx, id, 'logout'))
  const revokedAt = performance.now()

  t.equal(await statusAt(here), 401)
  while ((await statusAt(there)) === 200 && performance.now() - revokedAt < 5000) await delay(10)
  t.equal(await statusAt(there), 401)
  t.ok(performance.now() - revokedAt < 1000, `after ${Math.round(performance.now() - revokedAt)} ms`)
})
