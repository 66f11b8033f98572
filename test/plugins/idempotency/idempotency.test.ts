import Fastify from 'fastify'
import t from 'tap'
import { databasePlugin } from '../../../plugins/database/index.ts'
import { idempotencyPlugin } from '../../../plugins/idempotency/index.ts'
import { emptyEmbedded } from '../../support/database.ts'
import { idempotencySuite } from './idempotency-suite.ts'

const database = await emptyEmbedded(t)
await idempotencySuite(t, database)

t.test('a route or option that cannot work stops the start, by name', async (t) => {
  const start = async (config: object, method = 'POST', ttlHours = 24) => {
    const app = Fastify()
    t.teardown(() => app.close())
    await app.register(databasePlugin, { database })
    await app.register(idempotencyPlugin, { caller: () => 'somebody', ttlHours })
    app.route({ method, url: '/notes', config, handler: async () => null })
    await app.ready()
  }
  await t.rejects(start({ idempotent: 'yes' }), /Route POST \/notes: config\.idempotent must be/)
  await t.rejects(start({ idempotent: true }, 'GET'), /Route GET \/notes: .* is for writes/)
  await t.rejects(start({ idempotent: true, auth: 'public' }), /Route POST \/notes: .* must not be public/)
  await t.rejects(start({}, 'POST', 0), /ttlHours must be an integer/)
  await t.resolves(start({ idempotent: 'required' }))
})
