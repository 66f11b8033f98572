import type { FastifyInstance } from 'fastify'
import t from 'tap'
import { buildTestApp, startApp } from '../support/app.ts'

const app = await startApp(t)

/** Every route and who may call it. A route that is missing here, or here and gone, fails the test. */
const inventory = {
  'GET /': 'public',
  'GET /health': 'public',
  'GET /health/live': 'public',
  'GET /health/ready': 'public',
  'GET /metrics': 'public',
  'GET /.well-known/jwks.json': 'public',
  'POST /api/v1/auth/register': 'public',
  'POST /api/v1/auth/login': 'public',
  'POST /api/v1/auth/token': 'public',
  'POST /api/v1/auth/refresh': 'public',
  'POST /api/v1/auth/logout': 'public',
  'POST /api/v1/auth/logout-all': 'required',
  'GET /api/v1/auth/sessions': 'required',
  'DELETE /api/v1/auth/sessions/{session_id}': 'required',
  'GET /api/v1/audit-events': 'required',
  'GET /api/v1/users/me': 'required',
  'PATCH /api/v1/users/me': 'required',
  'POST /api/v1/users/me/change-password': 'required',
  'GET /api/v1/todos': 'required',
  'POST /api/v1/todos': 'required',
  'GET /api/v1/todos/{todo_id}': 'required',
  'PATCH /api/v1/todos/{todo_id}': 'required',
  'DELETE /api/v1/todos/{todo_id}': 'required'
}

interface Operation {
  operationId: string
  tags: string[]
  summary: string
  description: string
  security?: unknown[]
  responses: Record<string, unknown>
}

function operations(app: FastifyInstance): Array<[name: string, Operation]> {
  // The document types operations no further than "an object".
  const paths = app.docs.document().paths as Record<string, Record<string, Operation>>
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]): [string, Operation] => [
      `${method.toUpperCase()} ${path}`,
      operation
    ])
  )
}

t.test('the inventory names every route, and the document says who may call it', async (t) => {
  const found = Object.fromEntries(
    operations(app).map(([name, { security }]) => [name, security?.length ? 'required' : 'public'])
  )
  t.same(found, inventory)
})

t.test('every operation is complete in the document', async (t) => {
  const ids = new Set<string>()
  for (const [name, { operationId, tags, summary, description, security, responses }] of operations(app)) {
    t.match(operationId, /^[a-z]+([A-Z][a-z]+)*$/, `${name} has an operationId`)
    t.notOk(ids.has(operationId), `${operationId} is unique`)
    ids.add(operationId)
    t.ok(tags.length === 1 && summary && description, `${name} has a tag, a summary and a description`)
    t.ok(
      Object.keys(responses).some((status) => status.startsWith('2')),
      `${name} documents its success`
    )
    t.ok(
      responses['500'] || responses.default || name.includes('/health') || name.includes('/metrics'),
      `${name} documents failures`
    )
    if (security?.length) t.ok(responses['401'], `${name} documents 401`)
  }
})

t.test('Z01: every route that is not public refuses anonymous callers, HEAD included', async (t) => {
  for (const [name, access] of Object.entries(inventory)) {
    if (access === 'public') continue
    const [method = '', path = ''] = name.split(' ')
    const url = path.replace(/\{\w+\}/, '00000000-0000-4000-8000-000000000000')
    // The inventory above holds known methods only.
    for (const verb of method === 'GET' ? ['GET', 'HEAD'] : [method]) {
      const answer = await app.inject({ method: verb as 'GET', url })
      t.equal(answer.statusCode, 401, `${verb} ${path}`)
    }
  }
})

t.test('a route that declares no access stops the start, by name', async (t) => {
  const app = await buildTestApp(t)
  app.get('/forgotten', async () => 'open to all')
  await t.rejects(async () => app.ready(), /GET.* \/forgotten/)
})
