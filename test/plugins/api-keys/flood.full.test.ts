import { randomBytes } from 'node:crypto'
import { setImmediate as turn } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import Fastify from 'fastify'
import type { Kysely } from 'kysely'
import t from 'tap'
import { accessTokensPlugin } from '../../../plugins/access-tokens/index.ts'
import { apiKeysMigration, apiKeysPlugin } from '../../../plugins/api-keys/index.ts'
import { authPlugin } from '../../../plugins/auth/index.ts'
import { changesPlugin } from '../../../plugins/changes/index.ts'
import { up as createChanges } from '../../../plugins/changes/migration.ts'
import { databasePlugin } from '../../../plugins/database/index.ts'
import { emptyEmbedded } from '../../support/database.ts'
import { inventKey } from './suite.ts'

const COUNT = 100_000

setFlagsFromString('--expose-gc')
const gc: () => void = runInNewContext('gc')

t.test('K04: 100 000 random keys cost no query and little memory, well-formed ones little memory', async (t) => {
  let statements = 0
  const logger = { info: () => statements++, error: () => {} }
  const database = await emptyEmbedded(t, { echo: true, logger })
  await createChanges(database.db as Kysely<unknown>)
  await apiKeysMigration().up(database.db)
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(databasePlugin, { database })
  await app.register(changesPlugin)
  await app.register(apiKeysPlugin)
  await app.register(accessTokensPlugin, {
    keys: [{ algorithm: 'HS256', secret: 'a secret of thirty-two bytes, at the least' }],
    issuer: 'issuer',
    audience: 'audience'
  })
  await app.register(authPlugin, {
    kinds: ['api_key'],
    permissions: ['read:user:me'],
    load: async () => null,
    loadApiKey: async (proof) => {
      if ((await app.apiKeys.find(proof)) !== null) throw new Error('a random key was found')
      return null
    }
  })
  app.get('/', { config: { auth: { permission: 'read:user:me', apiKey: true } } }, async () => 'in')

  const send = (key: string) => app.inject({ url: '/', headers: { 'x-api-key': key } })
  async function flood(count: number, make: () => string): Promise<number> {
    for (let sent = 0; sent < count; sent += 500) {
      const answers = await Promise.all(Array.from({ length: 500 }, () => send(make())))
      // What an injected request weakly refers to is kept until the event loop turns.
      await turn()
      if (answers.some(({ statusCode }) => statusCode !== 401)) t.fail('somebody got in')
    }
    gc()
    return process.memoryUsage().heapUsed / 2 ** 20
  }
  const noise = () => `${inventKey().slice(0, -8)}${randomBytes(4).toString('hex')}`

  await flood(2000, inventKey)
  const before = await flood(2000, noise)
  const queries = statements
  const between = await flood(COUNT, noise)
  t.equal(statements, queries, 'no query')
  t.ok(between - before < 30, `${(between - before).toFixed(1)} MB for noise`)
  const after = await flood(COUNT, inventKey)
  t.ok(after - between < 30, `${(after - between).toFixed(1)} MB for well-formed keys`)
})
