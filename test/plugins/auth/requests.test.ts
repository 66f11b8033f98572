import { request as httpRequest } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { principal, startHost } from './host.ts'

const plain = 'Bearer realm="test"'
const rejected = 'Bearer realm="test", error="invalid_token"'

t.test('a required route answers the caller that a good token names', async (t) => {
  const { app, signIn } = await startHost(t)
  const headers = signIn('ana', 's1')

  const answer = await app.inject({ url: '/required', headers })

  t.equal(answer.statusCode, 200)
  t.match(answer.json(), { who: { id: 'ana', session_id: 's1' } })
})

t.test('A17: without credentials: 401 and a challenge that names no error', async (t) => {
  const { app, loads } = await startHost(t)
  const without = [{}, { authorization: 'Basic YTpi' }, { authorization: 'Bearerish x' }, { authorization: '' }]
  for (const headers of without) {
    const answer = await app.inject({ url: '/required', headers })
    t.equal(answer.statusCode, 401, JSON.stringify(headers))
    t.equal(answer.headers['www-authenticate'], plain)
    t.equal(answer.json().code, 'UNAUTHORIZED')
  }
  t.same(loads, [])
})

t.test('A17: with bad credentials: 401 and error="invalid_token"', async (t) => {
  const { app, signIn, loads } = await startHost(t)
  const { authorization } = signIn('ana', 's1')
  const token = authorization.slice(7)
  const bad = [
    'Bearer',
    'Bearer ',
    'Bearer x',
    `Bearer  ${token}`,
    `Bearer ${token} ${token}`,
    `Bearer ${token},`,
    `Bearer ${token}x`
  ]
  for (const authorization of bad) {
    const answer = await app.inject({ url: '/required', headers: { authorization } })
    t.equal(answer.statusCode, 401, authorization)
    t.equal(answer.headers['www-authenticate'], rejected, authorization)
    t.equal(answer.json().code, 'ACCESS_TOKEN_INVALID')
  }
  t.same(loads, [], 'and nothing is looked up for it')
})

t.test('forged tokens are told of, and of nothing else; what is thrown then is the refusal', async (t) => {
  const told: string[] = []
  let refusal: Error | undefined
  const host = await startHost(t, {
    onForged: async ({ url }) => {
      told.push(url)
      if (refusal) throw refusal
    }
  })
  const { authorization } = host.signIn('ana', 's1')
  const ask = (url: string, authorization: string) => host.app.inject({ url, headers: { authorization } })
  const forged = `${authorization.slice(0, -4)}AAAA`

  t.equal((await ask('/required', authorization)).statusCode, 200)
  host.sessions.clear()
  for (const header of [authorization, 'Bearer null', 'Basic YTpi']) await ask('/required', header)
  t.same(told, [], 'a good one, one whose session has ended, none at all')

  t.equal((await ask('/required', forged)).json().code, 'ACCESS_TOKEN_INVALID')
  t.same((await ask('/optional', forged)).json(), { who: null })
  t.equal((await ask('/public', forged)).statusCode, 200)
  t.same(told, ['/required', '/optional'])

  refusal = Object.assign(new Error('locked out'), { statusCode: 429 })
  t.equal((await ask('/required', forged)).statusCode, 429)
  t.same((await ask('/optional', forged)).json(), { who: null }, 'anonymous all the same')
  host.clock.ms += 900_000
  t.equal((await ask('/required', authorization)).statusCode, 401)
  t.equal(told.length, 4, 'nothing of an expired one')
})

t.test('a good token whose session has ended, or is unknown: 401 and error="invalid_token", each time', async (t) => {
  const { app, signIn, sessions, loads } = await startHost(t)
  const headers = signIn('ana', 's1')
  sessions.clear()
  for (const _ of [1, 2]) {
    const answer = await app.inject({ url: '/required', headers })
    t.equal(answer.statusCode, 401)
    t.equal(answer.headers['www-authenticate'], rejected)
  }
  t.same(loads, ['s1', 's1'], 'a refusal is not remembered')
})

t.test('A06: an expired token is refused though its session is remembered', async (t) => {
  const { app, signIn, clock } = await startHost(t)
  const headers = signIn('ana', 's1')
  t.equal((await app.inject({ url: '/required', headers })).statusCode, 200)
  clock.ms += 900_000
  t.equal((await app.inject({ url: '/required', headers })).statusCode, 401)
})

t.test('the scheme is case-insensitive', async (t) => {
  const { app, signIn } = await startHost(t)
  const { authorization } = signIn('ana', 's1')
  for (const scheme of ['bearer', 'BEARER', 'bEaReR']) {
    const headers = { authorization: authorization.replace('Bearer', scheme) }
    t.equal((await app.inject({ url: '/required', headers })).statusCode, 200, scheme)
  }
})

t.test('an optional route takes everybody, and knows those with a good token', async (t) => {
  const { app, signIn, sessions } = await startHost(t)
  const headers = signIn('ana', 's1')
  const gone = signIn('eve', 's2')
  sessions.delete('s2')

  t.match((await app.inject({ url: '/optional', headers })).json(), { who: { id: 'ana', session_id: 's1' } })
  for (const anonymous of [{}, gone, { authorization: 'Bearer x' }, { authorization: 'Basic YTpi' }]) {
    const answer = await app.inject({ url: '/optional', headers: anonymous })
    t.equal(answer.statusCode, 200)
    t.same(answer.json(), { who: null })
  }
})

t.test('request.caller on an optional route refuses the anonymous as a required one does', async (t) => {
  const { app, signIn } = await startHost(t)
  t.equal((await app.inject({ url: '/caller', headers: signIn('ana', 's1') })).statusCode, 200)

  const anonymous = await app.inject('/caller')
  t.equal(anonymous.statusCode, 401)
  t.equal(anonymous.headers['www-authenticate'], plain)
  const bad = await app.inject({ url: '/caller', headers: { authorization: 'Bearer x' } })
  t.equal(bad.statusCode, 401)
  t.equal(bad.headers['www-authenticate'], rejected)
})

t.test('a public route does not look at credentials', async (t) => {
  const { app, signIn, loads } = await startHost(t)
  for (const headers of [signIn('ana', 's1'), { authorization: 'Bearer x' }, {}]) {
    const answer = await app.inject({ url: '/public', headers })
    t.equal(answer.statusCode, 200)
    t.same(answer.json(), { who: null })
  }
  t.same(loads, [])
})

t.test('A16: tokens outside the header are ignored', async (t) => {
  const { app, signIn } = await startHost(t)
  app.post('/body', { config: { auth: 'required' } }, () => ({}))
  const token = signIn('ana', 's1').authorization.slice(7)

  t.equal((await app.inject(`/required?access_token=${token}&token=${token}`)).statusCode, 401)
  t.equal((await app.inject({ url: '/required', cookies: { access_token: token } })).statusCode, 401)
  const body = await app.inject({ method: 'POST', url: '/body', payload: { access_token: token } })
  t.equal(body.statusCode, 401)
})

t.test('A16: two Authorization headers are refused, whatever they hold', async (t) => {
  const { app, signIn } = await startHost(t)
  const { authorization } = signIn('ana', 's1')
  await app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = app.server.address() as AddressInfo

  const send = (headers: string[]) =>
    new Promise<number | undefined>((resolve, reject) => {
      const raw = ['Host', 'localhost', 'Connection', 'close', ...headers]
      const request = httpRequest({ port, path: '/required', headers: raw as never }, (answer) => {
        answer.resume()
        resolve(answer.statusCode)
      })
      request.on('error', reject).end()
    })

  t.equal(await send(['Authorization', authorization]), 200)
  t.equal(await send(['Authorization', authorization, 'Authorization', authorization]), 401)
  t.equal(await send(['Authorization', authorization, 'authorization', 'Basic YTpi']), 401)
  t.equal(await send(['Authorization', 'Basic YTpi', 'AUTHORIZATION', authorization]), 401)
})

t.test('who one request comes from is unknown to the next on the same connection', async (t) => {
  const { app, signIn } = await startHost(t)
  const headers = signIn('ana', 's1')
  const answers: unknown[] = []
  for (const sent of [headers, {}, headers, {}]) {
    answers.push((await app.inject({ url: '/optional', headers: sent })).json().who?.id ?? null)
  }
  t.same(answers, ['ana', null, 'ana', null])
})

t.test('a failing look-up is an error of the server on optional routes too, and is not remembered', async (t) => {
  let isDown = true
  const { app, signIn } = await startHost(t, {
    load: async ({ sub, sid }) => {
      if (isDown) throw new Error('the database is away')
      return { principal: principal(sub, sid), tags: [] }
    }
  })
  const headers = signIn('ana', 's1')

  t.equal((await app.inject({ url: '/required', headers })).statusCode, 500)
  t.equal((await app.inject({ url: '/optional', headers })).statusCode, 500)
  isDown = false
  t.equal((await app.inject({ url: '/required', headers })).statusCode, 200)
})
