import type { InjectOptions } from 'fastify'
import t from 'tap'
import { items } from '../plugins/rate-limit/host.ts'
import { patientRedis, signUp, startApp } from '../support/app.ts'
import { keyOf, person } from '../support/people.ts'

// Not here, because they need several processes, a Redis to break, or another clock: L02, L07, L08, L09 and L11, in
// test/plugins/rate-limit.

const app = await startApp(t, {
  ...patientRedis,
  RATE_LIMIT_UNPROTECTED_ROUTES: '20',
  RATE_LIMIT_PER_HOUR: '250',
  USER_RATE_LIMIT_PER_HOUR: '30',
  READ_RATE_LIMIT_PER_MINUTE: '10',
  WRITE_RATE_LIMIT_PER_MINUTE: '5',
  CORS_ORIGINS: 'https://app.example.com'
})

let addresses = 0
/** An address that nobody has called from. */
const newAddress = () => `192.0.2.${++addresses}`

async function statuses(request: InjectOptions, count: number): Promise<Record<number, number>> {
  const answers = await Promise.all(Array.from({ length: count }, () => app.inject(request)))
  const counts: Record<number, number> = {}
  for (const { statusCode } of answers) counts[statusCode] = (counts[statusCode] ?? 0) + 1
  return counts
}

t.test('L01: of 200 parallel writes exactly as many pass as allowed, and no more rows exist', async (t) => {
  const { headers } = await signUp(app)
  const write = { method: 'POST', url: '/api/v1/todos', headers, payload: { title: 'Milk' } } as const
  t.same(await statuses({ ...write, remoteAddress: newAddress() }, 200), { 201: 5, 429: 195 })
  const list = await app.inject({ url: '/api/v1/todos', headers })
  t.equal(list.json().total_count, 5)
  t.same(items(list.headers.ratelimit).todo_read, { r: 9, t: 60 }, 'reading has a counter of its own')
  t.equal(items(list.headers.ratelimit)['per-user']?.r, 24, 'refused calls were not charged to the hour either')
})

t.test('L03: a 429 has valid headers, the problem type of the draft, and tells how long to wait', async (t) => {
  const { headers } = await signUp(app)
  const write = { method: 'POST', url: '/api/v1/todos', headers, payload: { title: 'Milk' } } as const
  const passed = await app.inject({ ...write, remoteAddress: newAddress() })
  t.same(items(passed.headers['ratelimit-policy']), {
    'per-address': { q: 250, w: 3600 },
    todo_write: { q: 5, w: 60 },
    'per-user': { q: 30, w: 3600 }
  })
  await statuses(write, 4)
  const refused = await app.inject({ ...write, headers: { ...headers, accept: 'application/problem+json' } })
  t.equal(refused.statusCode, 429)
  const wait = Number(refused.headers['retry-after'])
  t.same(items(refused.headers.ratelimit), { todo_write: { r: 0, t: wait } })
  t.match(refused.json(), {
    type: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
    detail: `Try again in ${wait} seconds`,
    'violated-policies': ['todo_write']
  })
})

t.test('L04: sign-in is limited by address before any password is looked at, per route', async (t) => {
  const remoteAddress = newAddress()
  const login = { method: 'POST', url: '/api/v1/auth/login', remoteAddress } as const
  const wrong = { ...login, payload: { identifier: 'nobody@example.com', password: 'Wrong-password-1' } }
  const counts = await statuses({ ...wrong, payload: {} }, 19)
  t.same(counts, { 422: 19 }, 'malformed ones count as well')
  t.same((await app.inject(wrong)).statusCode, 401)
  t.same(await statuses(wrong, 3), { 429: 3 })
  t.same(await statuses({ ...wrong, remoteAddress: newAddress() }, 1), { 401: 1 }, 'another address')
  t.same(await statuses({ ...login, url: '/api/v1/auth/refresh', payload: {} }, 1), { 401: 1 }, 'another route')
})

t.test('L04: asking for mail and guessing at its tokens are limited by address, each route for itself', async (t) => {
  const remoteAddress = newAddress()
  const token = 'x'
  const calls: Array<[path: string, payload: object, status: number]> = [
    ['forgot-password', { email: 'nobody@example.com' }, 202],
    ['verify-email/resend', { email: 'nobody@example.com' }, 202],
    ['verify-email', { token }, 422],
    ['email-change/confirm', { token }, 422],
    ['reset-password', { token, new_password: 'Correct-horse-1' }, 422]
  ]
  for (const [path, payload, status] of calls) {
    const call = { method: 'POST', url: `/api/v1/auth/${path}`, payload, remoteAddress } as const
    t.same(await statuses(call, 23), { [status]: 20, 429: 3 }, path)
  }
})

t.test('L04: users have their own counters, and a bad token is charged to the address', async (t) => {
  const [ann, bob] = [await signUp(app), await signUp(app)]
  const read = (headers: Record<string, string>) => ({ url: '/api/v1/todos', headers, remoteAddress: newAddress() })
  t.same(await statuses(read(ann.headers), 12), { 200: 10, 429: 2 })
  t.same(await statuses(read(bob.headers), 1), { 200: 1 })
  const stranger = { ...read({ authorization: 'Bearer x.y.z' }), url: '/api/v1/users/me' }
  t.same(await statuses(stranger, 251), { 401: 250, 429: 1 })
  t.same(await statuses({ ...stranger, headers: bob.headers }, 1), { 429: 1 }, 'whoever calls from there')
})

t.test('L04: a user has a total an hour over all routes', async (t) => {
  const { headers } = await signUp(app)
  t.same(await statuses({ url: '/api/v1/users/me', headers, remoteAddress: newAddress() }, 32), { 200: 30, 429: 2 })
  const refused = await app.inject({ url: '/api/v1/todos', headers, remoteAddress: newAddress() })
  t.same(Object.keys(items(refused.headers.ratelimit)), ['per-user'])
})

t.test('L04: an API key counts as its owner, whose quota it does not multiply', async (t) => {
  const owner = await person(app)
  const [one, two] = [await keyOf(app, owner, ['read:todo:me']), await keyOf(app, owner, ['read:todo:me'])]
  const read = (headers: Record<string, string>) => ({ url: '/api/v1/todos', headers, remoteAddress: newAddress() })
  t.same(await statuses(read(owner.headers), 4), { 200: 4 })
  t.same(await statuses(read(one.headers), 4), { 200: 4 })
  t.same(await statuses(read(two.headers), 4), { 200: 2, 429: 2 })
  const other = await person(app)
  t.same(await statuses(read((await keyOf(app, other, ['read:todo:me'])).headers), 1), { 200: 1 })
})

t.test('P06: whether an address has an account can be asked twenty times a minute from one client', async (t) => {
  const { email } = await person(app)
  const payload = { email, username: 'somebody-else', password: 'Correct-horse-1' }
  const register = { method: 'POST', url: '/api/v1/auth/register', payload, remoteAddress: newAddress() } as const
  t.same(await statuses(register, 22), { 409: 20, 429: 2 })
})

t.test('L05: HEAD, query and spelling do not dodge a limit', async (t) => {
  const { headers } = await signUp(app)
  const read = (url: string, method: 'GET' | 'HEAD' = 'GET') => ({ method, url, headers, remoteAddress: newAddress() })
  t.same(await statuses(read('/api/v1/todos', 'HEAD'), 5), { 200: 5 })
  t.same(await statuses(read('/api/v1/todos?page=2'), 5), { 200: 5 })
  const id = '00000000-0000-4000-8000-000000000000'
  for (const url of ['/api/v1/todos?x', '/api/v1/tod%6fs', `/api/v1/todos/${id}`]) {
    t.same(await statuses(read(url), 1), { 429: 1 }, url)
  }
  t.same(await statuses(read('/api/v1/todos', 'HEAD'), 1), { 429: 1 })
  for (const url of ['/api/v1/TODOS', '/api/v1/todos/']) t.same(await statuses(read(url), 1), { 404: 1 }, url)
})

t.test('L06: unknown routes and methods are limited', async (t) => {
  const remoteAddress = newAddress()
  t.same(await statuses({ url: '/nowhere', remoteAddress }, 15), { 404: 15 })
  t.same(await statuses({ method: 'PUT', url: '/api/v1/todos', remoteAddress }, 15), { 405: 5, 429: 10 })
  t.same(
    await statuses({ url: '/api/v1/todos/', remoteAddress }, 240),
    { 404: 230, 429: 10 },
    'an empty parameter is charged to the address'
  )
})

t.test('L10: health, metrics, the documentation and preflights are neither limited nor charged', async (t) => {
  const remoteAddress = newAddress()
  const headers = { origin: 'https://app.example.com', 'access-control-request-method': 'POST' }
  for (const url of ['/health', '/health/live', '/health/ready', '/docs', '/openapi.json']) {
    const counts = await statuses({ url, remoteAddress }, 60)
    t.same(counts, { 200: 60 }, url)
  }
  t.same(await statuses({ url: '/metrics', remoteAddress: '127.0.0.1' }, 60), { 200: 60 })
  t.same(await statuses({ method: 'OPTIONS', url: '/api/v1/todos', headers, remoteAddress }, 60), { 204: 60 })
  const welcome = await app.inject({ url: '/', remoteAddress })
  t.equal(items(welcome.headers.ratelimit)['per-address']?.r, 249)
})

t.test('the document lists 429 with its headers on limited routes, and on no others', async (t) => {
  const document = app.docs.document()
  for (const [path, item] of Object.entries(document.paths)) {
    for (const [method, { responses }] of Object.entries(item)) {
      const isExempt = path.startsWith('/health') || path === '/metrics'
      t.equal(responses[429] === undefined, isExempt, `${method} ${path}`)
      if (isExempt) continue
      const [, name = ''] = /^#\/components\/responses\/(.+)$/.exec(responses[429]?.$ref ?? '') ?? []
      const described = document.components.responses?.[name] ?? responses[429]
      t.match(described, { headers: { 'Retry-After': {}, RateLimit: {}, 'RateLimit-Policy': {} } }, `${method} ${path}`)
    }
  }
})
