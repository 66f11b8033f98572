import { isDeepStrictEqual } from 'node:util'
import t from 'tap'
import { permissionCodes } from '../../db/permissions.ts'
import { callers, matrix } from '../access-matrix.ts'
import { buildTestApp, startApp } from '../support/app.ts'
import { keyOf } from '../support/people.ts'
import { setStage } from '../support/world.ts'
import { operations } from './operations.ts'

const app = await startApp(t)

/** `{other_role_id}` stands where the route has `{role_id}`. */
const routeOf = (name: string) => name.replace(/\{(other|deleted)_/, '{')
const absent = '00000000-0000-4000-8000-000000000000'

function send(name: string, ids: object, headers: Record<string, string> = {}, payload?: object) {
  const [method, path = ''] = name.split(' ')
  const url = path.replaceAll(/\{(\w+)\}/g, (_, id) => String(ids[id as keyof typeof ids]))
  // The matrix holds known methods only.
  return app.inject({ method: method as 'GET', url, headers, ...(payload && { payload }) })
}

t.test('the matrix names every route, and the document says who may call it', async (t) => {
  const found = operations(app)
  t.same(found.map(([name]) => name).sort(), Object.keys(matrix).map(routeOf).sort())
  const rows = new Map(Object.entries(matrix).map(([name, row]) => [routeOf(name), row]))
  for (const [name, { security = [{}], 'x-permission': permission, responses }] of found) {
    const { verdicts: [anonymous, owner] = [], takesKey = false } = rows.get(name) ?? {}
    t.equal(
      security.some((scheme) => 'apiKeyAuth' in scheme),
      takesKey,
      `${name} says whether it takes API keys`
    )
    const isClosed = security.length > 0 && security.every((scheme) => Object.keys(scheme).length > 0)
    if (isClosed) t.equal(anonymous, 401, `${name} refuses the anonymous`)
    if (isClosed) t.ok(responses['401'], `${name} documents 401`)
    if (permission) t.ok(responses['403'], `${name} documents 403`)
    if (permission?.endsWith(':all')) t.equal(owner, 403, `${name} refuses who lacks ${permission}`)
  }
})

t.test('every permission is asked for by a route or by a rule inside one', async (t) => {
  const asked = new Set(operations(app).map(([, operation]) => operation['x-permission']))
  const inside = ['delete:post:all'] // `?hard=true`
  t.same(
    permissionCodes.filter((code) => !asked.has(code) && !inside.includes(code)),
    ['create:user:me']
  )
})

t.test('Z01 Z02 Z03 Z04 every route answers each caller as the matrix says', async (t) => {
  const stage = await setStage(app)
  const wrong: string[] = []
  const unrecorded = new Set<string>()
  for (const [name, { verdicts, body }] of Object.entries(matrix)) {
    for (const [index, who] of callers.entries()) {
      const headers = who === 'anonymous' ? {} : stage.people[who].headers
      const payload = body?.(stage.world)
      const answer = await send(name, stage.world, headers, payload)
      if (answer.statusCode !== verdicts[index]) wrong.push(`${who}: ${name} ${answer.body}`)
      if (answer.statusCode === 404) {
        const nothing = Object.fromEntries(Object.keys(stage.world).map((id) => [id, absent]))
        const missing = await send(name, nothing, headers, payload)
        if (!isDeepStrictEqual(visible(answer), visible(missing))) wrong.push(`${who}: ${name} tells that it exists`)
      }
      if (answer.statusCode >= 300 || name.startsWith('GET')) continue
      if (!(await isRecorded(answer))) unrecorded.add(name)
      await stage.renew(who)
    }
  }
  t.same(wrong, [])
  // Nothing is signed out of, or stored, by these.
  const effectless = ['auth/forgot-password', 'auth/logout', 'auth/verify-email/resend', 'cache/invalidations']
  t.same(
    [...unrecorded].sort(),
    effectless.map((path) => `POST /api/v1/${path}`),
    'O07 every other write is recorded'
  )
})

async function isRecorded({ headers }: { headers: Record<string, unknown> }) {
  const events = app.db.selectFrom('audit_events').select('id')
  return (await events.where('request_id', '=', String(headers['x-request-id'])).executeTakeFirst()) !== undefined
}

t.test('Z07 an API key counts where the matrix says so, within its scopes, and nowhere else', async (t) => {
  const stage = await setStage(app)
  const admin = { user_id: stage.people.admin.user_id }
  const { headers } = await keyOf(app, admin, [...permissionCodes])
  const narrow = await keyOf(app, admin, [])
  const wrong: string[] = []
  for (const [name, { verdicts, takesKey = false, body }] of Object.entries(matrix)) {
    const [anonymous] = verdicts
    const payload = body?.(stage.world)
    const { statusCode } = await send(name, stage.world, headers, payload)
    if (statusCode !== (takesKey ? verdicts.at(-1) : anonymous)) wrong.push(`every scope: ${name} ${statusCode}`)
    const refused = await send(name, stage.world, narrow.headers, body?.(stage.world))
    if (refused.statusCode !== (takesKey ? 403 : anonymous)) wrong.push(`no scope: ${name} ${refused.statusCode}`)
  }
  t.same(wrong, [])
})

/** All that a client could tell two answers apart by. */
function visible({ statusCode, headers, body }: Awaited<ReturnType<typeof send>>) {
  const { 'x-request-id': id, 'server-timing': _t, 'x-response-time': _r, date: _d, ratelimit: _l, ...rest } = headers
  return { statusCode, rest, body: body.replaceAll(String(id), 'ID') }
}

t.test('Z01 Z12 HEAD is guarded as GET is, and no header makes one method another', async (t) => {
  const { world, people } = await setStage(app)
  const wrong: string[] = []
  for (const [name, { verdicts }] of Object.entries(matrix)) {
    if (!name.startsWith('GET')) continue
    for (const [index, who] of callers.entries()) {
      const headers = who === 'anonymous' ? {} : people[who].headers
      const { statusCode } = await send(name.replace('GET', 'HEAD'), world, headers)
      if (statusCode !== verdicts[index]) wrong.push(`${who}: HEAD ${name} ${statusCode}`)
    }
  }
  for (const header of ['x-http-method-override', 'x-http-method', 'x-method-override']) {
    const { headers } = people.owner
    const answer = await send('GET /api/v1/todos/{todo_id}?_method=DELETE', world, { ...headers, [header]: 'DELETE' })
    t.equal(answer.statusCode, 200, header)
    t.equal((await send('POST /api/v1/todos/{todo_id}', world, { ...headers, [header]: 'DELETE' })).statusCode, 405)
  }
  t.equal((await send('GET /api/v1/todos/{todo_id}', world, people.owner.headers)).statusCode, 200, 'still there')
  for (const [name, { verdicts }] of Object.entries(matrix)) {
    if (verdicts[0] !== 401) continue
    const { statusCode, body } = await send(name.replace(/^\w+/, 'OPTIONS'), world, people.other.headers)
    if (![204, 404, 405].includes(statusCode) || body.includes('data')) wrong.push(`OPTIONS ${name} ${statusCode}`)
  }
  t.same(wrong, [])
})

t.test('Z13 no spelling of a path gets round a guard', async (t) => {
  const { world, people } = await setStage(app)
  const spellings = [
    (path: string) => `/${path}`,
    (path: string) => path.replace('/api', '//api'),
    (path: string) => path.replace('/v1/', '/v1//'),
    (path: string) => path.replace('/v1/', '/v1/./'),
    (path: string) => path.replace('/v1/', '/v1/x/../'),
    (path: string) => path.replace('/v1/', '/v1%2f'),
    (path: string) => path.replace('/v1/', '/v1%5c'),
    (path: string) => path.replace('/v1/', '/%761/'),
    (path: string) => path.replace('/v1/', '/V1/'),
    (path: string) => `${path}/`,
    (path: string) => `${path};x`,
    (path: string) => `${path}%20`,
    (path: string) => `${path}%00`,
    (path: string) => `${path}.json`,
    (path: string) => `${path}?access=1#x`
  ]
  const wrong: string[] = []
  for (const [name, { verdicts, body }] of Object.entries(matrix)) {
    const [method = '', path = ''] = name.split(' ')
    for (const [who, verdict] of [['anonymous', verdicts[0]] as const, ['other', verdicts[2]] as const]) {
      if (verdict !== 401 && verdict !== 403) continue
      for (const spell of spellings) {
        const headers = who === 'anonymous' ? {} : people.other.headers
        const { statusCode } = await send(`${method} ${spell(path)}`, world, headers, body?.(world))
        if (statusCode < 400 || statusCode >= 500) wrong.push(`${who}: ${method} ${spell(path)} ${statusCode}`)
      }
    }
  }
  t.same(wrong, [])
})

t.test('Z13 L05 an empty path parameter is an unknown route for everybody', async (t) => {
  const { world, people } = await setStage(app)
  const wrong: string[] = []
  for (const [name, { body }] of Object.entries(matrix)) {
    const segments = name.split('/')
    for (const [index, segment] of segments.entries()) {
      if (!segment.startsWith('{')) continue
      const emptied = segments.with(index, '').join('/')
      for (const headers of [{}, people.owner.headers, people.admin.headers]) {
        const answer = await send(emptied, world, headers, body?.(world))
        const { error_code, message } = answer.json()
        if (error_code !== 'NOT_FOUND' || message !== 'Route not found') wrong.push(`${emptied} ${answer.body}`)
      }
    }
  }
  t.same(wrong, [])
})

t.test('a route that declares no access stops the start, by name', async (t) => {
  const app = await buildTestApp(t)
  app.get('/forgotten', async () => 'open to all')
  await t.rejects(async () => app.ready(), /GET.* \/forgotten/)
})
