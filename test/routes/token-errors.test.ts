import type { InjectOptions, LightMyRequestResponse } from 'fastify'
import { sql } from 'kysely'
import * as oauth from 'oauth4webapi'
import t, { type Test } from 'tap'
import { openDatabase } from '../../plugins/database/index.ts'
import { buildApp } from '../../src/app.ts'
import { items } from '../plugins/rate-limit/host.ts'
import { signUp, startApp, testConfig } from '../support/app.ts'
import { testDatabase } from '../support/database.ts'
import { mode } from '../support/mode.ts'

const form = 'application/x-www-form-urlencoded'
const url = '/api/v1/auth/token'

const post = (payload: string | Buffer, headers: InjectOptions['headers'] = {}, remoteAddress = '127.0.0.1') =>
  ({ method: 'POST', url, payload, headers: { 'content-type': form, ...headers }, remoteAddress }) as const

/** Bare as RFC 6749 §5.2 has it, whatever the client prefers, and so that a strict one takes it. */
async function isRefusal(t: Test, answer: LightMyRequestResponse, status: number, error: string) {
  t.equal(answer.statusCode, status, answer.body)
  const { error_description, ...rest } = answer.json()
  t.same(rest, { error })
  t.match(error_description, /^[\x20\x21\x23-\x5b\x5d-\x7e]+$/, 'in the characters of §5.2')
  t.match(answer.headers, { 'content-type': /^application\/json\b/, 'cache-control': 'no-store' })
  t.notOk(answer.headers['www-authenticate'])
  t.same(answer.cookies, [])

  const headers = { 'content-type': String(answer.headers['content-type']) }
  const processed = oauth.processGenericTokenEndpointResponse(
    { issuer: 'http://127.0.0.1' },
    { client_id: 'notes-app' },
    new Response(answer.body, { status, headers })
  )
  const expected =
    status < 500
      ? { name: 'ResponseBodyError', status, error, error_description }
      : { name: 'OperationProcessingError', code: oauth.RESPONSE_IS_NOT_CONFORM }
  await t.rejects(processed, expected)
}

t.test('whatever is wrong with a token request, the answer is an OAuth error', async (t) => {
  const app = await startApp(t)
  const password = 'grant_type=password&username=ada&password='
  for (const [title, request, status] of [
    ['JSON', { ...post('{"grant_type":"password"}'), headers: { 'content-type': 'application/json' } }, 415],
    ['a form in parts', post('--x--', { 'content-type': 'multipart/form-data; boundary=x' }), 415],
    ['a content type that is none', post('grant_type=password', { 'content-type': 'form' }), 415],
    ['a body without a content type', { method: 'POST', url, payload: Buffer.from('grant_type=password') }, 415],
    ['no body and no content type', { method: 'POST', url }, 400],
    ['an empty form', post(''), 400],
    ['a form of empty pairs', post('&=&grant_type'), 400],
    ['a form of 20 kB', post(`${password}${'x'.repeat(20_000)}`), 413],
    ['a length that is not the true one', post(`${password}x`, { 'content-length': '5' }), 400],
    ['broken percent encoding', post(`${password}%zz`), 400],
    ['malformed UTF-8', post(`${password}%ff%fe`), 400],
    ['malformed UTF-8 as it is', post(Buffer.from(`${password}\xc0`, 'latin1')), 400],
    ['half a surrogate pair', post(`${password}%ed%a0%80`), 400],
    ['NUL', post(`${password}%00`), 400],
    ['NUL as it is', post(`${password}\0`), 400],
    ['a parameter that is too long', post(`${password}${'x'.repeat(129)}`), 400],
    ['a parameter sent twice', post(`${password}x&password=y`), 400],
    ['a parameter without a value', post(password), 400],
    ['a refresh token without a value', post('grant_type=refresh_token&refresh_token='), 400],
    ['a host that is none', post(password, { host: 'a b' }), 400],
    ['an expectation', post(password, { expect: 'tea' }), 417],
    ['a URL of 9000 characters', { ...post(password), url: `${url}?${'x'.repeat(9_000)}` }, 414]
  ] as const) {
    for (const accept of ['*/*', 'application/problem+json']) {
      await t.test(`${title} (Accept: ${accept})`, async (t) => {
        const answer = await app.inject({ ...request, headers: { ...Object(request).headers, accept } })
        await isRefusal(t, answer, status, 'invalid_request')
      })
    }
  }

  const vague = await app.inject(post('username=a&username=b'))
  t.same(vague.json(), {
    error: 'invalid_request',
    error_description: 'grant_type is required, username must be a string'
  })
})

t.test('who has to wait is told so by an OAuth error, with the headers of any other route', async (t) => {
  const app = await startApp(t, {
    RATE_LIMIT_UNPROTECTED_ROUTES: '2',
    MAX_FAILED_ATTEMPTS: '1',
    ARGON2_CONCURRENCY: '1',
    ARGON2_QUEUE: '0'
  })
  const user = await signUp(app)
  const proof = { grant_type: 'password', username: user.username, password: user.password }
  const grant = (ip: string, parameters = {}) =>
    app.inject(post(new URLSearchParams({ ...proof, ...parameters }).toString(), {}, ip))

  await t.test('429 of the rate limit', async (t) => {
    for (const _ of [1, 2]) t.equal((await grant('192.0.2.1')).statusCode, 200)
    const answer = await grant('192.0.2.1')
    await isRefusal(t, answer, 429, 'temporarily_unavailable')
    const wait = Number(answer.headers['retry-after'])
    t.same(Object.values(items(answer.headers.ratelimit)), [{ r: 0, t: wait }])
    t.ok(answer.headers['ratelimit-policy'])
  })

  await t.test('429 of the lockout', async (t) => {
    await isRefusal(t, await grant('192.0.2.2', { password: 'Wrong-horse-1' }), 400, 'invalid_grant')
    const answer = await grant('192.0.2.2')
    await isRefusal(t, answer, 429, 'temporarily_unavailable')
    t.match(answer.headers['retry-after'], /^(900|89\d)$/)
    t.match(answer.json().error_description, /Try again in \d+ seconds/)
  })

  await t.test('503 of the full hash queue', async (t) => {
    let isAnswered = false
    const occupy = async () => {
      while (!isAnswered) await app.passwords.hash('Correct-horse-1')
    }
    const occupied = occupy()
    const answer = await grant('192.0.2.3')
    isAnswered = true
    await occupied
    await isRefusal(t, answer, 503, 'temporarily_unavailable')
    t.equal(answer.headers['retry-after'], '1')
    t.equal((await grant('192.0.2.3')).statusCode, 200, 'and then it works')
  })
})

t.test('a fault of the server and a database that is out are OAuth errors that tell nothing', async (t) => {
  const { url: databaseUrl = '', open } = await testDatabase(t, mode)
  const database = open ?? (await openDatabase({ url: databaseUrl }))
  const app = await buildApp(testConfig(t, open ? {} : { DATABASE_URL: databaseUrl }), { database })
  t.teardown(() => app.close())
  const user = await signUp(app)
  const refresh = () => app.inject(post(`grant_type=refresh_token&refresh_token=${user.refreshToken}`))

  await sql`alter table sessions rename to gone`.execute(database.db)
  const fault = await refresh()
  await isRefusal(t, fault, 500, 'server_error')
  t.equal(fault.json().error_description, 'Internal server error')
  await sql`alter table gone rename to sessions`.execute(database.db)
  t.equal((await refresh()).statusCode, 200)

  await database.close()
  const outage = await refresh()
  await isRefusal(t, outage, 503, 'temporarily_unavailable')
  t.equal(outage.headers['retry-after'], '1')
})

t.test('the document declares these bodies for every status, and ours for none', async (t) => {
  const app = await startApp(t)
  const document = (await app.inject('/openapi.json')).json()
  const { 200: _granted, ...responses } = document.paths[url].post.responses
  t.same(Object.keys(responses), ['400', '413', '415', '429', '500', '503', 'default'])
  const schema = { $ref: '#/components/schemas/TokenError' }
  for (const [status, { content }] of Object.entries<{ content: object }>(responses)) {
    t.same(content, { 'application/json': { schema } }, status)
  }
  t.ok(responses[429].headers['Retry-After'])
  t.ok(responses[503].headers['Retry-After'])
})

t.test('another method on that path is refused as everywhere', async (t) => {
  const app = await startApp(t)
  const answer = await app.inject({ method: 'GET', url })
  t.match([answer.statusCode, answer.headers.allow, answer.json().status], [405, 'POST', 'error'])
})
