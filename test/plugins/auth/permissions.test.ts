import t from 'tap'
import type {} from '../../../db/permissions.ts'
import type { Permission, RouteAuth } from '../../../plugins/auth/index.ts'
import { principal, startHost } from './host.ts'

// The plugin's own tests know no codes but these two; what the host declares is a matter of types.
const permissions: Permission[] = ['read:user:all', 'delete:user:all']

t.test('A17 Z04 a permission is held or the answer is a 403 that lists what is missing', async (t) => {
  const { app, signIn, sessions, feed } = await startHost(t, { permissions, kinds: ['role'] })
  app.get('/users', { config: { auth: { permission: 'read:user:all' } } }, (request) => ({
    reads: request.can('read:user:all'),
    deletes: request.can('delete:user:all')
  }))
  const ask = (headers: Record<string, string>) => app.inject({ url: '/users', headers })

  const anonymous = await app.inject('/users')
  t.equal(anonymous.statusCode, 401)
  t.equal(anonymous.headers['www-authenticate'], 'Bearer realm="test"')

  const denied = await ask(signIn('ana', 's1', ['delete:user:all']))
  t.match([denied.statusCode, denied.json().code], [403, 'PERMISSION_DENIED'])
  const reader = signIn('bob', 's2', ['read:user:all'])
  t.same((await ask(reader)).json(), { reads: true, deletes: false })
  t.same((await ask(signIn('root', 's3', [], true))).json(), { reads: true, deletes: true })

  sessions.set('s2', { principal: principal('bob', 's2'), tags: [] })
  t.equal((await ask(reader)).statusCode, 200, 'remembered')
  feed.gap()
  t.equal((await ask(reader)).statusCode, 403, 'and asked again after a change')
  t.equal((await app.inject({ method: 'HEAD', url: '/users', headers: reader })).statusCode, 403, 'Z12')
})

t.test('what the caller lacks is in the error, for the host to render', async (t) => {
  const { app, signIn } = await startHost(t, { permissions })
  app.setErrorHandler((error: { details?: unknown }, _request, reply) => reply.code(403).send(error.details))
  app.get('/users', { config: { auth: { permission: 'read:user:all' } } }, () => ({}))
  const { missing } = (await app.inject({ url: '/users', headers: signIn('ana', 's1') })).json()
  t.same(missing, ['read:user:all'])
})

t.test('an anonymous caller can do nothing', async (t) => {
  const { app } = await startHost(t, { permissions })
  app.get('/open', { config: { auth: 'optional' } }, (request) => ({ can: request.can('read:user:all') }))
  t.same((await app.inject('/open')).json(), { can: false })
})

t.test('an unknown permission is a type error, and stops the start', async (t) => {
  // @ts-expect-error: no such code
  const auth: RouteAuth = { permission: 'read:usr:all' }
  for (const known of [permissions, undefined]) {
    const { app } = await startHost(t, known ? { permissions: known } : {})
    t.throws(() => app.get('/users', { config: { auth } }, () => ({})), {
      message: 'Route GET /users asks for the unknown permission read:usr:all: add it to options.permissions'
    })
  }
})

t.test('the OpenAPI document learns of the permission, the 401 and the 403', async (t) => {
  const { app, signIn } = await startHost(t, { permissions })
  app.addSchema({ $id: 'Error', type: 'object', properties: { code: { type: 'string' } } })
  app.addSchema({ $id: 'Problem', type: 'object', properties: { code: { type: 'string' } } })
  let schema: unknown
  app.addHook('onRoute', (route) => {
    schema = route.schema
  })
  const response = { 200: { type: 'object', additionalProperties: true } }
  for (const url of ['/one', '/two']) {
    app.get(url, { config: { auth: { permission: 'read:user:all' } }, schema: { response } }, () => ({ a: 1 }))
  }

  t.match(schema, {
    security: [{ bearerAuth: [] }],
    'x-permission': 'read:user:all',
    response: {
      200: response[200],
      401: { content: { 'application/json': { schema: { $ref: 'Error#' } } } },
      403: {
        content: {
          'application/json': { schema: { $ref: 'PermissionDenied#' } },
          'application/problem+json': { schema: { $ref: 'PermissionDeniedProblem#' } }
        }
      }
    }
  })
  t.match(app.getSchema('PermissionDenied'), { allOf: [{ $ref: 'Error#' }, { properties: { missing: Object } }] })
  t.equal((await app.inject({ url: '/one', headers: signIn('ana', 's1') })).statusCode, 403, 'and it compiles')
})
