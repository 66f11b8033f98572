import t from 'tap'
import { sampleApp } from './sample-app.ts'

const basic = (text: string) => ({ authorization: `Basic ${Buffer.from(text).toString('base64')}` })
const ADA = basic('ada:love:lace')
const GUARDED = [
  '/docs',
  '/docs/json',
  '/docs/static/swagger-ui.css',
  '/redoc',
  '/redoc/redoc.standalone.js',
  '/openapi.json',
  '/openapi.yaml'
]

function guard() {
  let now = 1
  const seen: string[] = []
  const check = async (username: string, password: string) => {
    seen.push(`${username}/${password}`)
    return username === 'ada' && password === 'love:lace'
  }
  return { options: { access: { check }, now: () => now }, seen, tick: (ms: number) => (now += ms) }
}

t.test('guarded: pages, assets and document ask for HTTP Basic and open with the right credentials', async (t) => {
  const app = await sampleApp(guard().options)
  for (const url of GUARDED) {
    const refused = await app.inject(url)
    t.equal(refused.statusCode, 401, url)
    t.match(refused.headers, { 'www-authenticate': 'Basic realm="docs", charset="UTF-8"', 'cache-control': 'no-store' })
    t.equal(refused.json().code, 'DOCS_UNAUTHORIZED')
    t.equal((await app.inject({ url, headers: ADA })).statusCode, 200, url)
  }
  t.equal((await app.inject({ url: '/openapi.json', method: 'HEAD' })).statusCode, 401)
  t.equal((await app.inject('/nothing')).statusCode, 404)
})

t.test('a limit that the host adds later is asked before a password is checked', async (t) => {
  const { options, seen } = guard()
  const app = await sampleApp(options)
  app.addHook('onRequest', async () => {
    throw Object.assign(new Error('Too many requests'), { statusCode: 429 })
  })
  t.equal((await app.inject({ url: '/docs', headers: ADA })).statusCode, 429)
  t.same(seen, [])
})

t.test('what is no pair of credentials is refused without asking the check', async (t) => {
  const { options, seen } = guard()
  const app = await sampleApp(options)
  const headers = ['Basic', 'Basic !!!', 'Bearer abc', basic('no colon').authorization, basic(':empty').authorization]
  for (const authorization of [...headers, basic('ada:\u0000').authorization, basic('a\nda:x').authorization]) {
    t.equal((await app.inject({ url: '/docs', headers: { authorization } })).statusCode, 401, authorization)
  }
  t.same(seen, [])
})

t.test('the scheme is case-insensitive and names may be UTF-8', async (t) => {
  const { options, seen } = guard()
  const app = await sampleApp(options)
  await app.inject({
    url: '/docs',
    headers: { authorization: basic('zoë:pässword').authorization.replace('Basic', 'bAsIc') }
  })
  t.same(seen, ['zoë/pässword'])
})

t.test('a page of ten requests costs one check, and ten seconds later another', async (t) => {
  const { options, seen, tick } = guard()
  const app = await sampleApp(options)
  const load = () => Promise.all(Array.from({ length: 10 }, () => app.inject({ url: '/openapi.json', headers: ADA })))

  t.same(new Set((await load()).map((response) => response.statusCode)), new Set([200]))
  tick(9_999)
  await load()
  t.equal(seen.length, 1)

  tick(2)
  await load()
  t.equal(seen.length, 2)
})

t.test('a refusal is not remembered', async (t) => {
  const { options, seen } = guard()
  const app = await sampleApp(options)
  const wrong = { url: '/docs', headers: basic('ada:wrong') }
  t.equal((await app.inject(wrong)).statusCode, 401)
  t.equal((await app.inject(wrong)).statusCode, 401)
  t.equal(seen.length, 2)
})

t.test('what the check throws is the answer, and the next request asks again', async (t) => {
  let failures = 1
  const check = async () => {
    if (failures-- > 0) throw Object.assign(new Error('Busy'), { statusCode: 503 })
    return true
  }
  const app = await sampleApp({ access: { check } })
  t.equal((await app.inject({ url: '/docs', headers: ADA })).statusCode, 503)
  t.equal((await app.inject({ url: '/docs', headers: ADA })).statusCode, 200)
})

t.test('an unclear access stops the start', async (t) => {
  for (const access of [undefined, 'guarded', {}]) {
    // What a JavaScript caller may pass.
    await t.rejects(sampleApp({ access: access as 'open' }), /docs: `access` must be/)
  }
})
