import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import type { Loaded } from '../../../plugins/auth/index.ts'
import { principal, startHost } from './host.ts'

/** A `load` whose answers are given by hand, in the order of the questions. */
function heldLoad() {
  const asked: Array<(answer: Loaded | null) => void> = []
  return {
    asked,
    load: () => new Promise<Loaded | null>((resolve) => asked.push(resolve))
  }
}

const ana: Loaded = { principal: principal('ana', 's1'), tags: ['user:ana', 'session:s1'] }

t.test('a caller is looked up once, whichever token of the session comes', async (t) => {
  const { app, signIn, loads } = await startHost(t)
  const tokens = [signIn('ana', 's1'), signIn('ana', 's1'), signIn('bob', 's2')]
  for (const headers of [...tokens, ...tokens]) {
    t.equal((await app.inject({ url: '/required', headers })).statusCode, 200)
  }
  t.same(loads, ['s1', 's2'])
})

t.test('A10 a change named by a tag acts on the next request, on that caller only', async (t) => {
  for (const [kind, key] of [
    ['session', 's1'],
    ['user', 'ana']
  ] as const) {
    const { app, signIn, sessions, loads, feed } = await startHost(t)
    const one = signIn('ana', 's1')
    const other = signIn('bob', 's2')
    for (const headers of [one, other]) await app.inject({ url: '/required', headers })

    sessions.clear()
    feed.change(kind, key)

    t.equal((await app.inject({ url: '/required', headers: one })).statusCode, 401, kind)
    t.equal((await app.inject({ url: '/required', headers: other })).statusCode, 200)
    t.same(loads, ['s1', 's2', 's1'])
  }
})

t.test('A12 A13 a change of a user acts on all their sessions', async (t) => {
  const { app, signIn, sessions, feed } = await startHost(t)
  const all = ['s1', 's2', 's3'].map((session) => signIn('ana', session))
  for (const headers of all) t.equal((await app.inject({ url: '/required', headers })).statusCode, 200)

  sessions.clear()
  feed.change('user', 'ana')

  for (const headers of all) t.equal((await app.inject({ url: '/required', headers })).statusCode, 401)
})

t.test('A15 a change of facts acts on the next request', async (t) => {
  const { app, signIn, sessions, feed } = await startHost(t)
  const headers = signIn('ana', 's1')
  await app.inject({ url: '/required', headers })
  sessions.set('s1', { ...ana, principal: { ...ana.principal, role: 'admin' } as never })
  feed.change('user', 'ana')
  t.match((await app.inject({ url: '/required', headers })).json(), { who: { id: 'ana', role: 'admin' } })
})

t.test('changes of other kinds or keys leave the remembered alone', async (t) => {
  const { app, signIn, loads, feed } = await startHost(t)
  const headers = signIn('ana', 's1')
  await app.inject({ url: '/required', headers })
  feed.change('tier', 'ana')
  feed.change('user', 's1')
  feed.change('session', 's10')
  await app.inject({ url: '/required', headers })
  t.same(loads, ['s1'])
})

t.test('after a gap in the feed everybody is looked up anew', async (t) => {
  const { app, signIn, loads, feed } = await startHost(t)
  const all = [signIn('ana', 's1'), signIn('bob', 's2')]
  for (const headers of all) await app.inject({ url: '/required', headers })
  feed.gap()
  for (const headers of all) await app.inject({ url: '/required', headers })
  t.same(loads, ['s1', 's2', 's1', 's2'])
})

t.test('while the feed is not fresh each request looks its caller up', async (t) => {
  const { app, signIn, sessions, loads, feed } = await startHost(t)
  const headers = signIn('ana', 's1')
  await app.inject({ url: '/required', headers })
  feed.isFresh = false
  for (const _ of [1, 2]) t.equal((await app.inject({ url: '/required', headers })).statusCode, 200)
  t.same(loads, ['s1', 's1', 's1'])

  sessions.clear()
  t.equal((await app.inject({ url: '/required', headers })).statusCode, 401)
  feed.isFresh = true
  t.equal((await app.inject({ url: '/required', headers })).statusCode, 401, 'what was refused meanwhile stays refused')
})

t.test('parallel requests of one session ask once', async (t) => {
  for (const isFresh of [true, false]) {
    const { load, asked } = heldLoad()
    const { app, signIn, feed } = await startHost(t, { load })
    feed.isFresh = isFresh
    const headers = signIn('ana', 's1')

    const answers = Promise.all(Array.from({ length: 20 }, () => app.inject({ url: '/required', headers })))
    while (asked.length === 0) await turn()
    await turn()
    t.equal(asked.length, 1)
    asked[0]?.(ana)
    for (const answer of await answers) t.equal(answer.statusCode, 200)
  }
})

t.test('a look-up that began before a change is neither kept nor shared with later requests', async (t) => {
  for (const event of ['change', 'gap']) {
    const { load, asked } = heldLoad()
    const { app, signIn, feed } = await startHost(t, { load })
    const headers = signIn('ana', 's1')
    const early = app.inject({ url: '/required', headers })
    while (asked.length < 1) await turn()

    if (event === 'change') feed.change('session', 's1')
    else feed.gap()
    const late = app.inject({ url: '/required', headers })
    while (asked.length < 2) await turn()
    asked[1]?.(null)
    t.equal((await late).statusCode, 401, 'the later request saw the change')
    asked[0]?.(ana)
    t.equal((await early).statusCode, 200, 'the earlier one came before it')

    const next = app.inject({ url: '/required', headers })
    while (asked.length < 3) await turn()
    asked[2]?.(null)
    t.equal((await next).statusCode, 401, 'and left nothing behind')
  }
})

t.test('a look-up that takes long is not shared with requests that come much later', async (t) => {
  const { load, asked } = heldLoad()
  const { app, signIn, clock } = await startHost(t, { load })
  const headers = signIn('ana', 's1')
  const early = app.inject({ url: '/required', headers })
  while (asked.length < 1) await turn()
  clock.ms += 500
  const late = app.inject({ url: '/required', headers })
  while (asked.length < 2) await turn()
  asked[1]?.(null)
  asked[0]?.(ana)
  t.equal((await late).statusCode, 401)
  t.equal((await early).statusCode, 200)
})

t.test('R08 a session past its end is not trusted, remembered or not', async (t) => {
  const { app, signIn, sessions, clock, loads } = await startHost(t)
  const headers = signIn('ana', 's1')
  sessions.set('s1', { ...ana, validUntil: clock.ms + 1000 })
  clock.ms += 999
  t.equal((await app.inject({ url: '/required', headers })).statusCode, 200)
  clock.ms += 1
  t.equal((await app.inject({ url: '/required', headers })).statusCode, 401)
  t.same(loads, ['s1', 's1'])
})

t.test('nobody is remembered for longer than maxAgeMs', async (t) => {
  const { app, signIn, clock, loads } = await startHost(t, { maxAgeMs: 60_000 })
  const headers = signIn('ana', 's1')
  await app.inject({ url: '/required', headers })
  clock.ms += 59_999
  await app.inject({ url: '/required', headers })
  t.same(loads, ['s1'])
  clock.ms += 1
  await app.inject({ url: '/required', headers })
  t.same(loads, ['s1', 's1'])
})

t.test('no more than cacheSize callers are remembered, the last seen', async (t) => {
  const { app, signIn, loads, feed } = await startHost(t, { cacheSize: 2 })
  const [a, b, c] = ['s1', 's2', 's3'].map((session) => signIn('ana', session))
  for (const headers of [a, b, a, c, a]) await app.inject({ url: '/required', headers: headers ?? {} })
  t.same(loads, ['s1', 's2', 's3'])
  await app.inject({ url: '/required', headers: b ?? {} })
  t.same(loads, ['s1', 's2', 's3', 's2'], 's2 had made room for s3')
  feed.change('user', 'ana')
  await app.inject({ url: '/required', headers: a ?? {} })
  t.equal(loads.length, 5, 'and dropping still reaches who is left')
})

t.test('a token of one user never gets the principal of another, though it names their session', async (t) => {
  const { app, signIn } = await startHost(t, {
    load: async ({ sub, sid }) => (sub === 'ana' ? { principal: principal(sub, sid), tags: [] } : null)
  })
  const headers = signIn('ana', 's1')
  t.equal((await app.inject({ url: '/required', headers })).statusCode, 200)
  const { token } = app.accessTokens.sign({ sub: 'eve', sid: 's1' })
  const answer = await app.inject({ url: '/required', headers: { authorization: `Bearer ${token}` } })
  t.equal(answer.statusCode, 401)
})

t.test('a handler cannot change what the next request is told about its caller', async (t) => {
  const { app, signIn } = await startHost(t)
  app.post('/spoil', { config: { auth: 'required' } }, (request) => {
    t.throws(() => {
      request.caller.id = 'admin'
    }, TypeError)
    return {}
  })
  const headers = signIn('ana', 's1')
  await app.inject({ method: 'POST', url: '/spoil', headers })
  t.match((await app.inject({ url: '/required', headers })).json(), { who: { id: 'ana' } })
})
