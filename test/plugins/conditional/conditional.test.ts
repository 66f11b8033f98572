import Fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { conditionalPlugin, PreconditionFailed } from '../../../plugins/conditional/index.ts'

const response = { 200: { type: 'object', properties: { text: { type: 'string' } } } }

async function start(t: Test, routes: (app: FastifyInstance) => void) {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(conditionalPlugin)
  routes(app)
  await app.ready()
  return app
}

function noteRoutes(app: FastifyInstance) {
  const note = { text: 'tea', row_version: 7 }
  app.get('/note', { config: { etag: 'row' }, schema: { response } }, async () => note)
  for (const [method, ifMatch] of [['PATCH', 'optional'] as const, ['DELETE', 'required'] as const]) {
    app.route({
      method,
      url: '/note',
      config: { etag: 'row', ifMatch },
      schema: { response },
      handler: async (request) => {
        if (request.ifMatch?.row_version.includes(note.row_version) === false) throw new PreconditionFailed()
        return Object.assign(note, request.body, { row_version: note.row_version + 1 })
      }
    })
  }
  app.get('/list', { config: { etag: 'body' } }, async () => [note.text])
  app.get('/absent', { config: { etag: 'body' } }, async (_request, reply) => reply.code(404).send('nothing'))
}

t.test(
  'C07: the tag of a row is strong, changes with its version, and tells nothing that the body does not',
  async (t) => {
    const app = await start(t, noteRoutes)
    const read = await app.inject('/note')
    t.match(read.headers.etag, /^"7-[\w-]{8}"$/)
    t.equal(read.body, '{"text":"tea"}', 'the version stays inside')
    const changed = await app.inject({ method: 'PATCH', url: '/note', payload: { text: 'milk' } })
    t.match(changed.headers.etag, /^"8-/)
    t.equal((await app.inject('/note')).headers.etag, changed.headers.etag)
  }
)

t.test('C07: the tag of a body changes with it', async (t) => {
  const app = await start(t, noteRoutes)
  const first = (await app.inject('/list')).headers.etag
  t.match(first, /^"[\w-]{22}"$/)
  t.equal((await app.inject('/list')).headers.etag, first)
  await app.inject({ method: 'PATCH', url: '/note', payload: { text: 'milk' } })
  t.not((await app.inject('/list')).headers.etag, first)
})

t.test('C07: If-None-Match that names the state gets 304 and no body, by weak comparison', async (t) => {
  const app = await start(t, noteRoutes)
  for (const url of ['/note', '/list']) {
    const { headers, body } = await app.inject(url)
    const etag = String(headers.etag)
    for (const tags of [etag, ` ${etag}`, `W/${etag}`, `"other", ${etag}`, `"a,b" , W/${etag}`, '*']) {
      for (const method of ['GET', 'HEAD'] as const) {
        const answer = await app.inject({ method, url, headers: { 'if-none-match': tags } })
        t.equal(answer.statusCode, 304, `${method} ${url} ${tags}`)
        t.equal(answer.body, '')
        t.equal(answer.headers.etag, etag)
        t.equal(answer.headers['content-type'], undefined)
        t.equal(answer.headers['content-length'], undefined)
      }
    }
    for (const tags of ['"other"', etag.replaceAll('"', ''), '', `"${etag}`]) {
      const answer = await app.inject({ url, headers: { 'if-none-match': tags } })
      t.equal(answer.statusCode, 200, tags)
      t.equal(answer.body, body)
    }
  }
  const absent = await app.inject({ url: '/absent', headers: { 'if-none-match': '*' } })
  t.equal(absent.statusCode, 404, 'only what is there can be unmodified')
  t.equal(absent.headers.etag, undefined)
})

t.test('C07: If-Match is compared strongly; another state is left alone', async (t) => {
  const app = await start(t, noteRoutes)
  const etag = String((await app.inject('/note')).headers.etag)
  const patch = (tags: string) =>
    app.inject({ method: 'PATCH', url: '/note', headers: { 'if-match': tags }, payload: { text: 'milk' } })
  for (const tags of [`W/${etag}`, '"6-x"', etag.replace('7', '8'), '"7-AAAAAAAA"', etag.slice(1, -1), '']) {
    const answer = await patch(tags)
    t.equal(answer.statusCode, 412, tags)
    t.equal(answer.json().code, 'PRECONDITION_FAILED')
  }
  t.equal((await app.inject('/note')).headers.etag, etag)
  t.equal((await patch(`"other", ${etag}`)).statusCode, 200)
  t.equal((await patch(etag)).statusCode, 412)
  t.equal((await patch('*')).statusCode, 200)
})

t.test('a route that requires If-Match refuses to go without', async (t) => {
  const app = await start(t, noteRoutes)
  const answer = await app.inject({ method: 'DELETE', url: '/note' })
  t.equal(answer.statusCode, 428)
  t.equal(answer.json().code, 'PRECONDITION_REQUIRED')
  const etag = String((await app.inject('/note')).headers.etag)
  t.equal((await app.inject({ method: 'DELETE', url: '/note', headers: { 'if-match': etag } })).statusCode, 200)
})

t.test('faults of the program are found at the start or by the first request', async (t) => {
  const loose = (app: FastifyInstance) =>
    app.patch('/note', { config: { ifMatch: 'optional' } }, async (request) => request.ifMatch)
  await t.rejects(
    start(t, loose),
    /Route PATCH \/note has config\.ifMatch: GET \/note must have config\.etag and a schema/
  )
  const app = await start(t, (app) => app.get('/note', { config: { etag: 'row' } }, async () => ({ text: 'tea' })))
  t.match((await app.inject('/note')).json(), { statusCode: 500, message: /answered without a row_version/ })
})

t.test('C07: where the tag is one of a body, If-Match is compared with what GET would answer now', async (t) => {
  const note = { text: 'tea', hidden: 1 }
  let reads = 0
  const app = await start(t, (app) => {
    app.get('/note', { config: { etag: 'body' }, schema: { response } }, async () => note)
    app.patch('/note', { config: { ifMatch: 'optional' }, schema: { response } }, async (request, reply) => {
      await reply.requireState(async () => {
        reads++
        return note
      })
      return Object.assign(note, request.body)
    })
  })
  const patch = (text: string, ifMatch?: string) =>
    app.inject({
      method: 'PATCH',
      url: '/note',
      headers: { ...(ifMatch && { 'if-match': ifMatch }) },
      payload: { text }
    })
  const etag = String((await app.inject('/note')).headers.etag)
  note.hidden = 2
  t.equal((await patch('milk', `"other", ${etag}`)).statusCode, 200, 'what the answer does not show is no other state')
  t.match((await patch('rum', etag)).json(), { statusCode: 412, code: 'PRECONDITION_FAILED' })
  t.equal((await patch('rum', `W/${(await app.inject('/note')).headers.etag}`)).statusCode, 412, 'weak')
  t.equal(reads, 3)
  t.equal((await patch('gin', '*')).statusCode, 200)
  t.equal((await patch('gin')).statusCode, 200)
  t.equal(reads, 3, 'nothing is read for who does not ask')
})
