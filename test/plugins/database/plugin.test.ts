import Fastify, { type FastifyInstance } from 'fastify'
import { sql } from 'kysely'
import t, { type Test } from 'tap'
import { databasePlugin } from '../../../plugins/database/index.ts'
import { emptyEmbedded, emptyFolder } from '../../support/database.ts'

const shared = await emptyEmbedded(t)
await sql`create table notes (text text primary key)`.execute(shared.db)

async function start(t: Test, options: { strict?: boolean } = {}, routes: (app: FastifyInstance) => void = () => {}) {
  const lines: Array<{ level: number; msg: string }> = []
  const app = Fastify({ logger: { level: 'error', stream: { write: (line) => void lines.push(JSON.parse(line)) } } })
  await app.register(databasePlugin, { database: shared, ...options })
  routes(app)
  t.teardown(async () => {
    await app.close()
    await sql`truncate notes`.execute(shared.db)
  })
  return { app, lines }
}

const add = (text: string) => sql`insert into notes values (${text})`
const notes = async () => (await sql<{ text: string }>`select text from notes order by text`.execute(shared.db)).rows
/** Typed by the plugins that own the keys. */
const audited: object = { audit: 'note.created' }

t.test('a database that was handed in stays open when the app closes', async (t) => {
  const { app } = await start(t)
  t.equal(app.db, shared.db)
  await app.close()
  await t.resolves(shared.check())
})

t.test('a database that the plugin opened is closed with the app', async (t) => {
  const app = Fastify()
  await app.register(databasePlugin, { dataDir: await emptyFolder(t) })
  await t.resolves(app.database.check())
  const { db } = app
  await app.close()
  await t.rejects(sql`select 1`.execute(db), { code: 'DATABASE_UNAVAILABLE' })
})

t.test('participants frame the work in the same transaction, in their order', async (t) => {
  const order: string[] = []
  const { app } = await start(t, {}, (app) => {
    for (const name of ['a', 'b']) {
      app.database.participate({
        async begin(trx, request) {
          order.push(`begin ${name} ${request.method}`)
          await add(`begin ${name}`).execute(trx)
          return undefined
        },
        async commit(trx, _request, { status }) {
          order.push(`commit ${name} ${status}`)
          await add(`commit ${name}`).execute(trx)
        }
      })
    }
    app.post('/', async (request, reply) => {
      const { status, body } = await request.transaction(async (trx) => {
        order.push('work')
        await add('work').execute(trx)
        return { status: 201, body: { ok: true } }
      })
      return reply.code(status).send(body)
    })
  })
  const response = await app.inject({ method: 'POST', url: '/' })
  t.equal(response.statusCode, 201)
  t.same(order, ['begin a POST', 'begin b POST', 'work', 'commit a 201', 'commit b 201'])
  t.equal((await notes()).length, 5)
})

t.test('a replayed result is the answer: neither the work, nor later begins, nor commits run', async (t) => {
  const ran: string[] = []
  const { app } = await start(t, { strict: true }, (app) => {
    app.database.participate({
      begin: async () => ({ status: 200, body: { replayed: true } }),
      commit: async () => void ran.push('commit')
    })
    app.database.participate({ begin: async () => void ran.push('begin') })
    app.post('/', { config: audited }, async (request) => {
      const { body } = await request.transaction(async () => {
        ran.push('work')
        return { status: 201, body: { replayed: false } }
      })
      return body
    })
  })
  const response = await app.inject({ method: 'POST', url: '/' })
  t.equal(response.statusCode, 200)
  t.same(response.json(), { replayed: true })
  t.same(ran, [])
})

t.test('a commit that fails takes the work with it', async (t) => {
  const { app } = await start(t, {}, (app) => {
    app.database.participate({ commit: () => Promise.reject(new Error('no audit, no change')) })
    app.post('/', (request) =>
      request.transaction(async (trx) => {
        await add('work').execute(trx)
        return { status: 200, body: null }
      })
    )
  })
  const response = await app.inject({ method: 'POST', url: '/' })
  t.equal(response.statusCode, 500)
  t.same(await notes(), [])
})

t.test('a write takes along what participants record; who cannot say makes it a transaction', async (t) => {
  const ran: string[] = []
  let isAsked = true
  const { app } = await start(t, { strict: true }, (app) => {
    app.database.participate({
      commit: async (trx) => void (await add('commit').execute(trx)),
      accompany: () => ({ sql: `insert into notes select $1 || id from written`, parameters: ['beside '] })
    })
    app.database.participate({ accompany: () => null })
    app.database.participate({
      begin: async () => void ran.push('begin'),
      commit: async (_trx, _request, { status }) => void ran.push(`commit ${status}`),
      accompany: () => (isAsked ? null : undefined)
    })
    app.post('/', { config: audited }, async (request, reply) => {
      const result = await request.write(
        async (trx) =>
          (await sql<{ id: string }>`insert into notes values ('work') returning text as id`.execute(trx)).rows[0],
        ({ id }) => ({ status: 201, body: { text: id } })
      )
      return reply.code(result?.status ?? 500).send(result?.body)
    })
    app.post('/nothing', { config: audited }, async (request, reply) => {
      const result = await request.write(
        async (trx) =>
          (await sql<{ id: string }>`delete from notes where text = 'absent' returning text as id`.execute(trx))
            .rows[0],
        () => ({ status: 200, body: null })
      )
      return reply.code(result === undefined ? 404 : 200).send({})
    })
  })
  const texts = async () => (await notes()).map(({ text }) => text)
  for (const url of ['/nothing', '/']) await app.inject({ method: 'POST', url })
  t.same(await texts(), ['beside work', 'work'])
  t.same(ran, [])

  await sql`truncate notes`.execute(shared.db)
  isAsked = false
  t.equal((await app.inject({ method: 'POST', url: '/nothing' })).statusCode, 404)
  t.same(await texts(), [], 'where no row was changed nothing is committed')
  const response = await app.inject({ method: 'POST', url: '/' })
  t.equal(response.statusCode, 201)
  t.same(response.json(), { text: 'work' })
  t.same(await texts(), ['beside work', 'work'], 'who has a say in the statement has it there, too')
  t.same(ran, ['begin', 'begin', 'commit 201'])
})

t.test('a participant that knows transactions only takes part in writes as well', async (t) => {
  const { app } = await start(t, {}, (app) => {
    app.database.participate({ commit: () => Promise.reject(new Error('no record, no change')) })
    app.post('/', (request) =>
      request.write(
        async (trx) =>
          (await sql<{ id: string }>`insert into notes values ('work') returning text as id`.execute(trx)).rows[0],
        () => ({ status: 200, body: null })
      )
    )
  })
  t.equal((await app.inject({ method: 'POST', url: '/' })).statusCode, 500)
  t.same(await notes(), [])
})

t.test('a route that declares audit or idempotent and goes round the transaction is an error in the log', async (t) => {
  const { app, lines } = await start(t, {}, (app) => {
    app.post('/audited', { config: audited }, async () => 'done')
    app.post('/idempotent', { config: { idempotent: true } as object }, async () => 'done')
    app.post('/plain', async () => 'done')
    app.post('/refused', { config: audited }, async (_request, reply) => reply.code(404).send('no'))
  })
  for (const url of ['/audited', '/idempotent', '/plain', '/refused']) await app.inject({ method: 'POST', url })
  t.match(lines, [
    { level: 50, msg: /^POST \/audited declares/ },
    { level: 50, msg: /^POST \/idempotent declares/ }
  ])
  t.equal(lines.length, 2)
})

t.test('with strict such a route answers 500, and a route that keeps its word answers', async (t) => {
  const { app } = await start(t, { strict: true }, (app) => {
    app.post('/round', { config: audited }, async () => 'done')
    app.post('/through', { config: audited }, async (request, reply) => {
      const { status } = await request.transaction(async () => ({ status: 204, body: undefined }))
      return reply.code(status).send()
    })
  })
  const round = await app.inject({ method: 'POST', url: '/round' })
  t.equal(round.statusCode, 500)
  t.equal(round.json().code, 'OUTSIDE_TRANSACTION')
  t.equal((await app.inject({ method: 'POST', url: '/through' })).statusCode, 204)
})
