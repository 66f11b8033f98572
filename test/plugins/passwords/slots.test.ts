import { setImmediate as turn } from 'node:timers/promises'
import Fastify from 'fastify'
import t from 'tap'
import { PasswordsBusy, passwordsPlugin } from '../../../plugins/passwords/index.ts'
import { heldHasher, start } from './host.ts'

t.test('P21 no more than concurrency + queue: beyond it 503 at once, then first come first served', async (t) => {
  const { hasher, started, finish, ready } = heldHasher()
  const passwords = await start(t, { hasher, concurrency: 2, queue: 2 })
  ready()

  const admitted = ['password a', 'password b', 'password c', 'password d'].map((plain) => passwords.hash(plain))
  await t.rejects(passwords.hash('password e'), {
    code: new PasswordsBusy().code,
    statusCode: 503,
    headers: { 'Retry-After': '1' }
  })
  t.same(started, ['password a', 'password b'])

  finish[1]?.()
  t.equal(await admitted[1], 'hash of password b')
  await turn()
  t.same(started, ['password a', 'password b', 'password c'])

  const late = passwords.hash('password f')
  for (const index of [0, 2, 3, 4]) {
    finish[index]?.()
    await turn()
  }
  await Promise.all([...admitted, late])
  t.same(started, ['password a', 'password b', 'password c', 'password d', 'password f'])
})

t.test('a hash that fails gives its slot back', async (t) => {
  const { hasher, finish, ready } = heldHasher()
  const passwords = await start(t, { hasher, concurrency: 1, queue: 0 })
  ready()

  const failing = passwords.hash('password a')
  finish[0]?.(new Error('out of memory'))
  await t.rejects(failing, { message: 'out of memory' })
  const next = passwords.hash('password b')
  finish[1]?.()
  t.equal(await next, 'hash of password b')
})

t.test('the event loop runs on while passwords are hashed', async (t) => {
  const passwords = await start(t, { concurrency: 2, queue: 8 })
  let turns = 0
  const hashing = Promise.all(Array.from({ length: 4 }, () => passwords.hash('correct horse')))
  let isDone = false
  hashing.finally(() => {
    isDone = true
  })
  while (!isDone) {
    turns++
    await turn()
  }
  t.ok(turns > 10, `${turns} turns`)
})

t.test('a metrics plugin registered before shows the queue', async (t) => {
  const { hasher, finish, ready } = heldHasher()
  const gauges = new Map<string, () => unknown>()
  const app = Fastify()
  t.teardown(() => app.close())
  app.decorate('metrics', {
    gauge: (name: string, _help: string, read: () => unknown) => gauges.set(name, read)
  } as never)
  await app.register(passwordsPlugin, { hasher, concurrency: 1, queue: 2 })
  ready()

  const hashing = [app.passwords.hash('password a'), app.passwords.hash('password b')]
  t.equal(gauges.get('password_queue_length')?.(), 1)
  finish[0]?.()
  await turn()
  finish[1]?.()
  await Promise.all(hashing)
  t.equal(gauges.get('password_queue_length')?.(), 0)
})
