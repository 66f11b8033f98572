import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { promisify } from 'node:util'
import Fastify, { type FastifyInstance } from 'fastify'
import t from 'tap'
import docs from '../../../plugins/docs/index.ts'
import { sampleApp } from './sample-app.ts'

const options = { access: 'closed', info: { title: 'Sample API', version: '1.2.3' } } as const
const Note = { $id: 'Note', type: 'object', properties: { text: { type: 'string' } } }

async function documentOf(routes: (app: FastifyInstance) => void) {
  const app = Fastify()
  await app.register(docs, options)
  routes(app)
  await app.ready()
  return app.docs.document()
}

t.test('the document does not depend on the order of the routes', async (t) => {
  const a = (app: FastifyInstance) => app.get('/a', { schema: { response: { 200: Note } } }, async () => ({}))
  const b = (app: FastifyInstance) =>
    app.get('/b', { schema: { response: { 200: { ...Note, $id: 'B' } } } }, async () => ({}))
  const postA = (app: FastifyInstance) => app.post('/a', async () => ({}))

  const one = JSON.stringify(await documentOf((app) => [a, b, postA].map((add) => add(app))))
  const other = JSON.stringify(await documentOf((app) => [postA, b, a].map((add) => add(app))))

  t.equal(one, other)
})

t.test('a schema with an $id is a component wherever it stands', async (t) => {
  const { paths, components } = await documentOf((app) => {
    const nested = { type: 'object', properties: { data: Note } }
    app.post('/notes', { schema: { body: Note, response: { 200: Note, 201: nested } } }, async () => ({}))
  })
  const ref = { $ref: '#/components/schemas/Note' }

  t.same(Object.keys(components.schemas ?? {}), ['Note'])
  t.match(paths['/notes']?.post, {
    requestBody: { content: { 'application/json': { schema: ref } } },
    responses: {
      200: { content: { 'application/json': { schema: ref } } },
      201: { content: { 'application/json': { schema: { properties: { data: ref } } } } }
    }
  })
  t.notMatch(JSON.stringify(paths), 'allOf')
})

t.test(
  'a parameter of the query with a default may be left out, and what answers 304 takes If-None-Match',
  async (t) => {
    const { paths, components } = await documentOf((app) => {
      const querystring = {
        type: 'object',
        required: ['page', 'q'],
        properties: { page: { type: 'integer', default: 1 }, q: { type: 'string' } }
      }
      app.get(
        '/notes',
        { schema: { querystring, response: { 304: { type: 'null', description: 'Same' } } } },
        async () => ''
      )
      app.get('/other', { schema: { querystring } }, async () => '')
    })
    t.match(paths['/notes']?.get?.parameters, [
      { name: 'page', required: false },
      { name: 'q', required: true },
      { $ref: '#/components/parameters/IfNoneMatch' }
    ])
    t.equal(paths['/other']?.get?.parameters?.length, 2)
    t.match(components.parameters, { IfNoneMatch: { name: 'if-none-match', in: 'header', required: false } })
  }
)

t.test('two different schemas with one $id stop the start and are named', async (t) => {
  const other = { $id: 'Note', type: 'object', properties: { text: { type: 'integer' } } }
  const app = documentOf((app) => {
    app.get('/a', { schema: { response: { 200: Note } } }, async () => ({}))
    app.get('/b', { schema: { response: { 200: { type: 'array', items: other } } } }, async () => ({}))
  })
  await t.rejects(app, { message: 'Two different schemas have the $id "Note"' })
})

t.test('an answer without a description is described by its status', async (t) => {
  const response = { 201: { type: 'object' }, 204: { type: 'null' }, 409: { type: 'object', description: 'Taken' } }
  const { paths } = await documentOf((app) => app.post('/notes', { schema: { response } }, async () => ({})))

  t.match(paths['/notes']?.post?.responses, {
    201: { description: 'Created' },
    204: { description: 'No Content' },
    409: { description: 'Taken' }
  })
})

t.test('an error answer that operations have in common is one component, named after its status', async (t) => {
  const app = Fastify()
  await app.register(docs, options)
  const failed = (description: string) => ({ type: 'object', description })
  const add = (url: string, response: object) => app.get(url, { schema: { response } }, async () => ({}))
  add('/a', { 200: failed('Same'), 422: failed('Same'), 404: failed('Rare') })
  add('/b', { 200: failed('Same'), 422: failed('Same'), 404: failed('Often') })
  add('/c', { 404: failed('Often'), default: failed('Once') })
  await app.ready()
  const { paths, components } = app.docs.document()

  t.same(Object.keys(components.responses ?? {}), ['NotFound', 'UnprocessableEntity'])
  t.match(components.responses, { NotFound: { description: 'Often' }, UnprocessableEntity: { description: 'Same' } })
  t.match(paths['/a']?.get?.responses, {
    200: { description: 'Same' },
    404: { description: 'Rare' },
    422: { $ref: '#/components/responses/UnprocessableEntity' }
  })
  t.match(paths['/c']?.get?.responses, {
    404: { $ref: '#/components/responses/NotFound' },
    default: { description: 'Once' }
  })
})

t.test('an operation that takes a bearer token offers the password flow as well', async (t) => {
  const app = await sampleApp()
  await app.ready()
  const { paths, components } = app.docs.document()

  t.same(paths['/users/me']?.get?.security, [{ oauth2: [] }, { bearerAuth: [] }])
  t.same((await documentOf((app) => app.get('/', async () => ''))).paths['/']?.get?.security, [])
  t.match(components.securitySchemes, {
    bearerAuth: { type: 'http', scheme: 'bearer' },
    oauth2: { type: 'oauth2', flows: { password: { tokenUrl: '/token' } } }
  })
})

t.test('the pages and HEAD are no operations', async (t) => {
  const app = await sampleApp()
  await app.ready()
  t.same(Object.keys(app.docs.document().paths), ['/users/me'])
  t.same(Object.keys(app.docs.document().paths['/users/me'] ?? {}), ['get'])
})

t.test('the document has no finding by the linter of the project', async (t) => {
  const app = await sampleApp()
  await app.ready()
  const file = join(t.testdir(), 'openapi.json')
  writeFileSync(file, JSON.stringify(app.docs.document()))

  const { stdout } = await redocly('lint', '--format', 'json', file)
  t.match(JSON.parse(stdout), { totals: { errors: 0, warnings: 0 } })
})

function redocly(...args: string[]) {
  const require = createRequire(import.meta.url)
  const bin = join(require.resolve('@redocly/cli/package.json'), '../bin/cli.js')
  const env = { ...process.env, NODE_OPTIONS: '', REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' }
  return promisify(execFile)(process.execPath, [bin, ...args], { env, cwd: join(import.meta.dirname, '../../..') })
}
