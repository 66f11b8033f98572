import type { FastifyInstance } from 'fastify'
import t from 'tap'
import { startHost } from './host.ts'

/** What `recallPrincipal` says to a hook in front of authentication: a name, `null` or `undefined`. */
function recalling(app: FastifyInstance) {
  const said: unknown[] = []
  app.addHook('onRequest', async (request) => {
    const found = request.recallPrincipal()
    said.push(found?.id ?? found)
  })
  return async (url: string, headers: Record<string, string>) => {
    const { statusCode } = await app.inject({ url, headers })
    return [said.pop(), statusCode]
  }
}

t.test('a caller is recalled once they have been let in, until their session changes', async (t) => {
  const { app, signIn, sessions, feed, clock, loads } = await startHost(t)
  const ask = recalling(app)
  const ana = signIn('ana', 's1')
  t.same(await ask('/required', ana), [undefined, 200])
  t.same(await ask('/required', ana), ['ana', 200])
  t.same(await ask('/optional', ana), ['ana', 200])
  t.same(loads, ['s1'])

  feed.isFresh = false
  t.same(await ask('/required', ana), [undefined, 200])
  feed.isFresh = true
  sessions.delete('s1')
  feed.change('session', 's1')
  t.same(await ask('/required', ana), [undefined, 401])

  const bea = signIn('bea', 's2')
  await ask('/required', bea)
  t.same(await ask('/required', bea), ['bea', 200])
  clock.ms += 900_000
  t.same(await ask('/required', bea), [undefined, 401], 'an expired token')
})

t.test('who sends nothing is nobody where that is allowed, and nobody is known on public routes', async (t) => {
  const { app, signIn } = await startHost(t)
  const ask = recalling(app)
  const ana = signIn('ana', 's1')
  await ask('/required', ana)
  t.same(await ask('/optional', {}), [null, 200])
  t.same(await ask('/required', {}), [undefined, 401])
  t.same(await ask('/public', ana), [null, 200])
  t.same(await ask('/optional', { 'x-api-key': 'pl_x' }), [undefined, 200])
  t.same(await ask('/required', { authorization: `${ana.authorization}x` }), [undefined, 401])
  t.same(await ask('/nowhere', ana), [null, 404])
})

t.test('who lacks the permission is not recalled, and refused as ever', async (t) => {
  const { app, signIn } = await startHost(t, { permissions: ['read:user:all'] })
  app.get('/users', { config: { auth: { permission: 'read:user:all' } } }, async () => [])
  const ask = recalling(app)
  const [ana, bea, cy] = [signIn('ana', 's1', ['read:user:all']), signIn('bea', 's2'), signIn('cy', 's3', [], true)]
  for (const headers of [ana, bea, cy]) await ask('/required', headers)
  t.same(await ask('/users', ana), ['ana', 200])
  t.same(await ask('/users', bea), [undefined, 403])
  t.same(await ask('/users', cy), ['cy', 200])
})

t.test('whose session ends between being recalled and the guard is not let in', async (t) => {
  const { app, signIn, sessions, feed } = await startHost(t)
  const said: unknown[] = []
  let isEnding = false
  app.addHook('onRequest', async (request) => {
    said.push(request.recallPrincipal()?.id)
    if (!isEnding) return
    sessions.delete('s1')
    feed.change('session', 's1')
  })
  const request = { url: '/required', headers: signIn('ana', 's1') }
  t.equal((await app.inject(request)).statusCode, 200)
  isEnding = true
  t.equal((await app.inject(request)).statusCode, 401)
  t.same(said, [undefined, 'ana'])
})

t.test(
  'a token that expires, or is replaced, between being recalled and the guard is not the one that was recalled',
  async (t) => {
    const { app, signIn, clock } = await startHost(t)
    const [ana, bea] = [signIn('ana', 's1'), signIn('bea', 's2')]
    app.get('/who', { config: { auth: 'required' } }, async ({ caller }) => caller.id)
    let meanwhile = (_headers: Record<string, unknown>): void => {}
    app.addHook('onRequest', async (request) => {
      request.recallPrincipal()
      meanwhile(request.raw.headers)
    })
    const ask = async (headers: Record<string, string>) => {
      const { statusCode, body } = await app.inject({ url: '/who', headers })
      return statusCode === 200 ? body : statusCode
    }
    t.same([await ask(ana), await ask(bea), await ask(ana)], ['ana', 'bea', 'ana'])
    meanwhile = (headers) => Object.assign(headers, bea)
    t.equal(await ask(ana), 'bea')
    meanwhile = (headers) => Object.assign(headers, { authorization: 'Bearer nothing' })
    t.equal(await ask(ana), 401)
    meanwhile = (headers) => delete headers.authorization
    t.equal(await ask(ana), 401)
    meanwhile = () => {
      clock.ms += 900_000
    }
    t.equal(await ask(ana), 401)
  }
)
