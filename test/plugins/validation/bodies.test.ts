import { gzipSync } from 'node:zlib'
import { Type } from '@sinclair/typebox'
import Fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import validation from '../../../plugins/validation/index.ts'

/** `POST /` takes any JSON, `POST /note` one with a schema; both count their calls and return what they got. */
async function startApp(t: Test): Promise<{ app: FastifyInstance; calls: () => number }> {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(validation)
  let calls = 0
  app.post('/', async ({ body }) => {
    calls++
    return { body }
  })
  const note = Type.Object(
    { text: Type.Optional(Type.String()), count: Type.Optional(Type.Integer()) },
    { additionalProperties: false }
  )
  app.post('/note', { schema: { body: note } }, async ({ body }) => {
    calls++
    return { body }
  })
  return { app, calls: () => calls }
}

const json = { 'content-type': 'application/json' }

async function refuse(t: Test, payloads: [title: string, payload: string | Buffer, message?: RegExp][]): Promise<void> {
  const { app, calls } = await startApp(t)
  for (const [title, payload, message = /./] of payloads) {
    const answer = await app.inject({ method: 'POST', url: '/', headers: json, payload })
    t.equal(answer.statusCode, 400, title)
    t.match(answer.json().message, message, title)
  }
  t.equal(calls(), 0)
  t.notOk(Object.hasOwn(Object.prototype, 'polluted'))
}

t.test('what is JSON arrives as it was sent', async (t) => {
  const { app } = await startApp(t)
  const texts = [
    '{"a":"\\u00e9\\ud83d\\ude00 é 😀","b":[1,-1.5e3,1.0,true,false,null,{}]}',
    '"\\"\\\\u0000 \\\\\\" : [ {"',
    '{"a":{"a":{"a":1}},"b":{"a":2}}',
    '[9007199254740991,-9007199254740991,0.1,1e15,123456789012345.5,-0]',
    '{"__proto":1,"constructor":"Ferrari","prototype":{},"x":{"constructor":{"a":1}}}',
    '{"":1," ":2,"a:b":"c:d","e\\":":3}',
    ' \n\t[ ]\r\n',
    '"text"',
    'null',
    `${'['.repeat(32)}${']'.repeat(32)}`
  ]
  for (const text of texts) {
    const answer = await app.inject({ method: 'POST', url: '/', headers: json, payload: text })
    t.same(answer.json(), { body: JSON.parse(text) }, text)
  }
})

t.test('V02, V03: NUL, lone surrogates and malformed UTF-8 are refused, in values and in names', async (t) => {
  await refuse(t, [
    ['an escaped NUL', '{"a":"x\\u0000y"}', /character/],
    ['an escaped NUL in a name', '{"x\\u0000y":1}', /character/],
    ['an escaped NUL deep inside', '{"a":[{"b":["\\u0000"]}]}', /character/],
    ['a NUL byte', '{"a":"x\0y"}', /JSON/],
    ['a high surrogate', '{"a":"\\ud800"}', /character/],
    ['a low surrogate', '{"a":"\\uDC00x"}', /character/],
    ['surrogates in the wrong order', '"\\udc00\\ud800"', /character/],
    ['a lone surrogate in a name', '{"\\ud800":1}', /character/],
    ['a byte that is not UTF-8', Buffer.from([0x22, 0xff, 0x22]), /UTF-8/],
    ['an overlong form', Buffer.from([0x22, 0xc0, 0x80, 0x22]), /UTF-8/],
    ['a surrogate in UTF-8', Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]), /UTF-8/],
    ['a cut character', Buffer.from([0x22, 0xf0, 0x9f, 0x98]), /UTF-8/],
    ['latin1', Buffer.from('{"a":"é"}', 'latin1'), /UTF-8/]
  ])
})

t.test('V07: doubled names, a BOM, trailing commas and UTF-16 are refused', async (t) => {
  await refuse(t, [
    ['a name twice', '{"a":1,"a":2}', /twice/],
    ['the same name twice, with equal values', '{"a":1,"a":1}', /twice/],
    ['a name twice by an escape', '{"a":1,"\\u0061":2}', /twice/],
    ['a name twice deep inside', '{"x":[{"a":1,"b":{},"a":2}]}', /twice/],
    ['a BOM', '\ufeff{}', /JSON/],
    ['a trailing comma', '{"a":1,}', /JSON/],
    ['a trailing comma in a list', '[1,]', /JSON/],
    ['UTF-16', Buffer.from('{"a":1}', 'utf16le'), /JSON/],
    ['UTF-16 with a BOM', Buffer.from('\ufeff{"a":1}', 'utf16le'), /UTF-8/],
    ['a comment', '{/* */}', /JSON/],
    ['single quotes', "{'a':1}", /JSON/],
    ['two values', '{}{}', /JSON/],
    ['nothing but space', ' ', /JSON/],
    ['an open string', '{"a', /JSON/],
    ['an open escape', '"\\', /JSON/],
    ['nothing', '', /empty/]
  ])
})

t.test('V04: numbers that would be rounded or become Infinity are refused', async (t) => {
  const beyond = ['9007199254740992', '9007199254740993', '-9007199254740993', '9223372036854775808', '1e16', '1e400']
  const numbers = [...beyond, '-1e400', '12345678901234567890', '1'.repeat(5_000), '9007199254740993.0']
  await refuse(
    t,
    numbers.flatMap((number): [string, string, RegExp][] => [
      [number, `{"a":${number}}`, /number/],
      [`${number} in a list`, `[0,${number}]`, /number/]
    ])
  )
  await refuse(
    t,
    ['NaN', 'Infinity', '01', '1.', '.5', '+1', '0x10', '1_000', '--1', '1e'].map((text) => [text, `[${text}]`, /JSON/])
  )
})

t.test('V11: a path to a prototype is refused, and nothing is polluted', async (t) => {
  await refuse(t, [
    ['__proto__', '{"__proto__":{"polluted":1}}', /member/],
    ['__proto__ by an escape', '{"\\u005f_proto__":{"polluted":1}}', /member/],
    ['__proto__ deep inside', '{"a":[{"__proto__":null}]}', /member/],
    ['constructor.prototype', '{"constructor":{"prototype":{"polluted":1}}}', /member/]
  ])
})

t.test('V06: deep, wide and long bodies are answered quickly', async (t) => {
  const { app } = await startApp(t)
  const size = 1_000_000
  const many = Array.from({ length: 60_000 }, (_, i) => `"k${i}":${i}`).join(',')
  const bodies: [title: string, path: string, payload: string, status: number][] = [
    ['deep lists', '/', '['.repeat(size), 400],
    ['deep lists, closed', '/', '['.repeat(size / 2) + ']'.repeat(size / 2), 400],
    ['deep objects', '/', '{"a":'.repeat(size / 5), 400],
    ['one level too many', '/', '['.repeat(33) + ']'.repeat(33), 400],
    ['many members', '/note', `{${many}}`, 400],
    ['many items', '/note', `[${'1,'.repeat(size / 2 - 1)}1]`, 400],
    ['many escapes', '/', `"${'\\"'.repeat(size / 2)}"`, 200],
    ['many backslashes', '/', `"${'\\\\'.repeat(size / 2)}"`, 200],
    ['one member many times', '/', `{${'"a":1,'.repeat(size / 7)}"a":1}`, 400],
    ['a long number', '/', '1'.repeat(size), 400]
  ]
  await app.inject({ method: 'POST', url: '/note', headers: json, payload: '{"count":"warm"}' })
  // 200 ms, or on a machine that is slow just now as often the time of a mere look at each character.
  const limit = Math.max(200_000, 30 * microsToRead('a'.repeat(size)))
  for (const [title, url, payload, status] of bodies) {
    let micros = Number.POSITIVE_INFINITY
    // The time is that of the whole process, whose garbage collector may choose just this moment: the best of three counts.
    for (let tries = 0; tries < 3 && micros >= limit; tries++) {
      const before = process.cpuUsage()
      const answer = await app.inject({ method: 'POST', url, headers: json, payload })
      const { user, system } = process.cpuUsage(before)
      t.equal(answer.statusCode, status, title)
      micros = user + system
    }
    t.ok(micros < limit, `${title}: ${micros} µs of CPU, at most ${limit}`)
  }
})

function microsToRead(text: string): number {
  const before = process.cpuUsage()
  let sum = 0
  for (let at = 0; at < text.length; at++) sum += text.charCodeAt(at)
  const { user, system } = process.cpuUsage(before)
  return sum > 0 ? user + system : 0
}

t.test('V08, V09: anything but JSON in UTF-8 is refused with 415, before any handler', async (t) => {
  const { app, calls } = await startApp(t)
  const types = [
    'text/plain',
    'text/json',
    'multipart/form-data; boundary=x',
    'application/x-www-form-urlencoded',
    'application/jsonx',
    'application/vnd.api+json',
    'application/json\ta',
    'application/json; charset=utf-16',
    'application/json; charset=iso-8859-1',
    'application/json; charset=utf-8; a=b',
    'application/json; boundary=x',
    'application/json, text/plain',
    'application/json; charset="utf-8',
    'json',
    '*/*'
  ]
  for (const path of ['/', '/note']) {
    for (const type of types) {
      const answer = await app.inject({ method: 'POST', url: path, headers: { 'content-type': type }, payload: '{}' })
      t.equal(answer.statusCode, 415, `${path} ${type}`)
    }
    const untyped = await app.inject({ method: 'POST', url: path, payload: Buffer.from('{}') })
    t.equal(untyped.statusCode, 415)
    for (const encoding of ['gzip', 'br', 'deflate', 'identity, gzip', 'x']) {
      const headers = { ...json, 'content-encoding': encoding }
      const answer = await app.inject({ method: 'POST', url: path, headers, payload: gzipSync('{}') })
      t.equal(answer.statusCode, 415, encoding)
    }
  }
  t.equal(calls(), 0)

  const good = ['application/json', 'application/JSON;charset=UTF-8', 'application/json ; charset="utf-8"']
  for (const type of good) {
    const headers = { 'content-type': type, 'content-encoding': 'identity' }
    t.equal((await app.inject({ method: 'POST', url: '/note', headers, payload: '{}' })).statusCode, 200, type)
  }
})

t.test('V08: a route with a schema does not run without a body', async (t) => {
  const { app, calls } = await startApp(t)
  const bare = await app.inject({ method: 'POST', url: '/note' })
  const typed = await app.inject({ method: 'POST', url: '/note', headers: json })
  const chunked = await app.inject({ method: 'POST', url: '/note', headers: { 'transfer-encoding': 'chunked' } })

  t.same([bare.statusCode, typed.statusCode, chunked.statusCode], [400, 400, 415])
  t.equal(bare.json().code, 'FST_ERR_VALIDATION')
  t.equal(calls(), 0)
})

t.test('a body for a route that describes none is refused by field, and nothing may be sent in any way', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(validation)
  const seen: unknown[] = []
  for (const method of ['POST', 'DELETE'] as const) {
    app.route({ method, url: '/', schema: { summary: 'No body' }, handler: async ({ body }) => seen.push(body) })
  }
  for (const method of ['POST', 'DELETE'] as const) {
    for (const payload of [undefined, '', '{}', 'null']) {
      const headers = payload === undefined ? {} : json
      const answer = await app.inject({ method, url: '/', headers, ...(payload !== undefined && { payload }) })
      t.equal(answer.statusCode, 200, `${method} ${payload}`)
    }
    for (const payload of ['{"id":1}', '[]', '1', '"x"']) {
      const answer = await app.inject({ method, url: '/', headers: json, payload })
      t.equal(answer.statusCode, 422, `${method} ${payload}`)
    }
  }
  t.equal(seen.length, 8)
})
