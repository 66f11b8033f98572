import { Type } from '@sinclair/typebox'
import Fastify from 'fastify'
import t from 'tap'
import validation from '../../../plugins/validation/index.ts'
import { CalendarDate, DateTime, Email, Id } from '../../../plugins/validation/schema.ts'
import { taking } from './taking.ts'

t.test('V15: dates are days and instants that exist, and that PostgreSQL and JavaScript hold exactly', async (t) => {
  const dateTime = await taking(t, DateTime())
  const date = await taking(t, CalendarDate())
  for (const good of [
    '2026-11-20T10:00:00Z',
    '2024-02-29T23:59:59.123456+14:00',
    '0001-01-01T00:00:00Z',
    '9999-12-31T23:59:59.999Z'
  ]) {
    t.equal(await dateTime(good), good)
  }
  for (const bad of [
    '2026-11-20',
    '2026-11-20T10:00:00',
    '2026-11-20 10:00:00Z',
    '2026-11-20t10:00:00z',
    '2026-11-20T10:00Z',
    '2026-02-29T10:00:00Z',
    '2026-02-30T10:00:00Z',
    '2026-13-01T10:00:00Z',
    '2026-11-20T24:00:00Z',
    '2026-06-30T23:59:60Z',
    '2026-11-20T10:00:00.1234567Z',
    '2026-11-20T10:00:00+15:00',
    '2026-11-20T10:00:00+24:00',
    '0000-01-01T00:00:00Z',
    '0001-01-01T00:00:00+01:00',
    '9999-12-31T23:59:59-01:00',
    '+275760-09-13T00:00:00Z',
    '10000-01-01T00:00:00Z',
    '-0001-01-01T00:00:00Z',
    ''
  ]) {
    t.equal(await dateTime(bad), 400, bad)
  }
  for (const good of ['2026-11-20', '2024-02-29', '2000-02-29', '0001-01-01', '9999-12-31'])
    t.equal(await date(good), good)
  for (const bad of [
    '2026-11-31',
    '2023-02-29',
    '1900-02-29',
    '0000-01-01',
    '2026-00-01',
    '2026-01-00',
    '26-1-1',
    '2026-11-20T'
  ]) {
    t.equal(await date(bad), 400, bad)
  }
})

t.test('ids, addresses and URIs are checked strictly, and in no time', async (t) => {
  const id = await taking(t, Id())
  t.equal(await id('0190b0a0-7b3c-7def-8abc-0123456789AB'), '0190b0a0-7b3c-7def-8abc-0123456789AB')
  for (const bad of ['urn:uuid:0190b0a0-7b3c-7def-8abc-0123456789ab', '0190b0a07b3c7def8abc0123456789ab', '{}', '1']) {
    t.equal(await id(bad), 400, bad)
  }

  const email = await taking(t, Email())
  for (const good of ['a@b.co', "o'neil+tag@sub.example.com", 'a.b_c@xn--bcher-kva.example'])
    t.equal(await email(good), good)
  for (const bad of [
    'a',
    'a@b',
    '@b.co',
    'a@.co',
    'a@b..co',
    '.a@b.co',
    'a.@b.co',
    'a..b@b.co',
    'a b@c.de',
    'a@b@c.de',
    'a@-b.co',
    'a@b.c',
    'a@b.1',
    'ä@b.co',
    'a@ä.co',
    'a@[127.0.0.1]',
    `${'a'.repeat(65)}@b.co`,
    `a@${'b'.repeat(64)}.co`,
    `a@${'b.'.repeat(130)}co`
  ]) {
    t.equal(await email(bad), 400, bad)
  }

  const uri = await taking(t, Type.String({ format: 'uri' }))
  for (const good of ['https://a.b/c?d=e#f', 'http://[::1]:80/', 'mailto:a@b.co', 'urn:isbn:1'])
    t.equal(await uri(good), good)
  for (const bad of [
    '/a',
    'a',
    '//a.b',
    'https://',
    'https://a b',
    'https://a.b/<x>',
    'https://a.b/"',
    'https://ä.b',
    ' https://a.b'
  ]) {
    t.equal(await uri(bad), 400, bad)
  }

  const hostile = [`a@${'a.'.repeat(100_000)}`, `${'a-'.repeat(200_000)}@`, 'a:'.repeat(200_000), '1'.repeat(400_000)]
  const start = performance.now()
  for (const format of ['email', 'uuid', 'uri', 'date', 'date-time']) {
    const check = await taking(t, Type.String({ format }))
    for (const value of hostile)
      t.equal(await check(value.slice(0, 1_000_000)), format === 'uri' && value.startsWith('a:') ? value : 400)
  }
  t.ok(performance.now() - start < 3_000)
})

t.test('a format nobody defined stops the start, one from the options is checked', async (t) => {
  const body = Type.Object({ color: Type.String({ format: 'color' }) })
  const without = Fastify()
  await without.register(validation)
  without.post('/', { schema: { body } }, async () => ({}))
  await t.rejects(async () => without.ready(), /format/)

  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(validation, { formats: { color: (value) => /^#[\da-f]{6}$/.test(value) } })
  app.post('/', { schema: { body } }, async () => ({}))
  const post = (color: string) => app.inject({ method: 'POST', url: '/', payload: { color } })
  t.same([(await post('#00ff00')).statusCode, (await post('green')).statusCode], [200, 400])
})
