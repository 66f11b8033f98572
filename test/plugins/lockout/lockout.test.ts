import Fastify from 'fastify'
import t from 'tap'
import { type Lock, lockoutPlugin, memoryStore } from '../../../plugins/lockout/index.ts'
import { startHost } from './host.ts'

t.test('five failures lock a client out for fifteen minutes; others go on', async (t) => {
  const { app, lines, open, statuses } = await startHost(t)

  t.same(await statuses(5), [401, 401, 401, 401, 401])
  const refused = await open({ secret: 'right' })

  t.equal(refused.statusCode, 429)
  t.equal(refused.headers['retry-after'], '900')
  t.match(refused.json(), { code: 'LOCKED_OUT', message: 'Too many failed attempts. Try again in 900 seconds' })
  t.same(await statuses(1, { account: 'bob', secret: 'right' }), [429], 'whatever the account')
  t.same(await statuses(1, { ip: '192.0.2.2', secret: 'right' }), [200], 'not from elsewhere')
  t.match(lines, [{ level: 40, client: '192.0.2.1', scope: 'client' }])
  t.match((await app.inject('/metrics')).body, /^lockout_refused_total\{scope="client"\} 2$/m)
})

t.test('a success takes back what the client failed on that account, and nothing else', async (t) => {
  const { statuses } = await startHost(t)

  for (let day = 0; day < 5; day++) {
    t.same(await statuses(4), [401, 401, 401, 401])
    t.same(await statuses(1, { secret: 'right' }), [200], 'no closer to a lock than before')
  }
  await statuses(4)
  t.same(await statuses(1, { account: 'own', secret: 'right' }), [200])
  t.same(await statuses(1), [401], 'the fifth on accounts of others')
  t.same(await statuses(1, { account: 'own', secret: 'right' }), [429])
})

t.test('of 100 wrong attempts at once five are looked at; of 100 right ones none counts', async (t) => {
  const { evaluated, open, statuses } = await startHost(t)
  const flood = async (secret: string) => {
    const answers = await Promise.all(Array.from({ length: 100 }, () => open({ secret })))
    return answers.map(({ statusCode, headers }) => `${statusCode} ${headers['retry-after'] ?? ''}`).sort()
  }

  const right = await flood('right')
  t.same([...new Set(right)], ['200 ', '429 1'], 'refused for a second only')
  t.same(await statuses(1), [401])
  t.same(await statuses(1, { secret: 'right' }), [200])

  evaluated.length = 0
  t.same(await flood('wrong'), [...Array(5).fill('401 '), ...Array(95).fill('429 1')])
  t.equal(evaluated.length, 5)
  t.equal((await open({ secret: 'right' })).headers['retry-after'], '900')
})

t.test('a proof that throws does not count', async (t) => {
  const { statuses } = await startHost(t)
  t.same(new Set(await statuses(20, { secret: 'busy' })), new Set([503]))
  t.same(await statuses(1, { secret: 'right' }), [200])
})

for (const [how, takeBack] of [
  [
    'throws',
    () => {
      throw new Error('lost')
    }
  ],
  [
    'rejects',
    async () => {
      throw new Error('lost')
    }
  ]
] as const) {
  t.test(`a success stands although the store ${how} when it should note it`, async (t) => {
    const { open, lines } = await startHost(t, { store: { ...memoryStore(), takeBack }, key: Buffer.alloc(32, 1) })
    t.equal((await open({ secret: 'right' })).statusCode, 200)
    t.match(lines, [{ level: 50, msg: 'An attempt was not taken back', err: { message: 'lost' } }])
  })
}

t.test('failures without an account count for the client, too', async (t) => {
  const { forge, statuses } = await startHost(t)
  await statuses(2)
  t.equal((await forge()).statusCode, 401)
  await statuses(1, { secret: 'right' })
  for (let count = 0; count < 4; count++)
    t.equal((await forge()).statusCode, 401, 'those on the account are taken back')
  t.equal((await forge()).statusCode, 429)
  t.same(await statuses(1, { secret: 'right' }), [429])
})

t.test(
  'an account that is guessed at from many sides has to be waited for, but not by its owner at a known place',
  async (t) => {
    const clock = { ms: 1_800_000_000_000 }
    const asked: string[] = []
    const locks: Array<Omit<Lock, 'request'>> = []
    const { app, evaluated, open, statuses } = await startHost(t, {
      store: memoryStore({ now: () => clock.ms }),
      key: Buffer.alloc(32, 1),
      familiarAddresses: async (account) => {
        asked.push(account)
        return account === 'ada' ? ['2001:db8:1:2::3', '198.51.100.1'] : []
      },
      onLocked: ({ scope, client, account }) => void locks.push({ scope, client, account })
    })
    const fromElsewhere = (index: number) => ({ ip: `192.0.2.${index}` })

    await statuses(5, fromElsewhere(1))
    t.same(await statuses(1, { ip: '192.0.2.2', secret: 'right' }), [200], 'one address slows nobody down')
    t.same(await statuses(4, fromElsewhere(2)), [401, 401, 401, 401])
    t.same(await statuses(1, fromElsewhere(3)), [401])
    t.same(locks, [
      { scope: 'client', client: '192.0.2.1', account: 'ada' },
      { scope: 'account', client: '192.0.2.3', account: 'ada' }
    ])

    t.same(asked, [], 'nobody had to wait yet')
    evaluated.length = 0
    const waits: unknown[] = []
    for (let index = 4; index < 12; index++) {
      const refused = await open({ ...fromElsewhere(index), secret: 'right' })
      waits.push(`${refused.statusCode} ${refused.headers['retry-after']}`)
      clock.ms += Number(refused.headers['retry-after']) * 1000
      t.same(await statuses(1, fromElsewhere(index)), [401])
    }
    t.same(waits, ['429 1', '429 2', '429 4', '429 8', '429 16', '429 32', '429 60', '429 60'])
    t.equal(asked.length, 8, 'asked only about those who would have to wait')
    t.equal(evaluated.length, 8, 'what is refused is not looked at')
    t.same(await statuses(1, { ip: '198.51.100.1', secret: 'right' }), [200], 'from a known address at once')
    t.same(await statuses(1, { ip: '2001:db8:1:2:ffff::', secret: 'right' }), [200], 'and from its network')
    t.same(
      await statuses(1, { account: 'bob', secret: 'right', ip: '192.0.2.9' }),
      [200],
      'other accounts are not slowed'
    )
    t.match((await app.inject('/metrics')).body, /^lockout_refused_total\{scope="account"\} 8$/m)
  }
)

t.test('all spellings and neighbours of an address are one client', async (t) => {
  for (const addresses of [
    ['203.0.113.7', '::ffff:203.0.113.7', '::ffff:cb00:7107', '0:0:0:0:0:FFFF:CB00:7107', '203.0.113.7:4711'],
    ['2001:db8:1:2::3', '2001:0DB8:0001:0002:0000::', '2001:db8:1:2:ffff:ffff:ffff:ffff', '[2001:db8:1:2::3]:443'],
    ['2001:db8::1', '2001:db8:0:0::', '2001:db8::a:b:192.0.2.1', '2001:db8:0::%eth0', '2001:DB8::ffff:0:0:1'],
    ['1:0:0:4::', '1::4:5:6:7:8', '1:0:0:4:5:6:7:9', '1:0::4:1:1:1:1'],
    ['::1', '::2', '0::ffff', '::192.0.2.1'],
    ['nonsense', '127.1', '010.0.0.1', '1.2.3.4.5', 'x'.repeat(10_000)]
  ]) {
    const { statuses } = await startHost(t, { maxAttempts: addresses.length })
    for (const ip of addresses) t.same(await statuses(1, { ip }), [401], ip.slice(0, 50))
    t.same(await statuses(1, { ip: addresses[0] ?? '' }), [429])
    for (const ip of ['203.0.113.8', '2001:db8:1:3::3', '2001:db8:0:1::', '1:0:0:5::', '1::1:0:0:0:0:0']) {
      t.same(await statuses(1, { ip, account: ip }), [401], `${ip} is another`)
    }
  }
})

t.test('forwarded addresses count only from trusted proxies, and then the last one that is not trusted', async (t) => {
  const forwarded = (value: string, ip: string) => ({ ip, headers: { 'x-forwarded-for': value } })

  const direct = await startHost(t, { maxAttempts: 2 })
  for (const name of ['198.51.100.1', '198.51.100.2']) await direct.open(forwarded(name, '192.0.2.1'))
  t.same(await direct.statuses(1, forwarded('198.51.100.3', '192.0.2.1')), [429])

  const proxied = await startHost(t, { maxAttempts: 2 }, { trustProxy: ['10.0.0.0/8'] })
  for (const first of ['1.1.1.1', '2.2.2.2']) {
    t.same(await proxied.statuses(1, forwarded(`${first}, 198.51.100.1, 10.0.0.9`, '10.0.0.1')), [401])
  }
  t.same(
    await proxied.statuses(1, forwarded('3.3.3.3, 198.51.100.1', '10.0.0.2')),
    [429],
    'what it says itself is void'
  )
  t.same(await proxied.statuses(1, forwarded('198.51.100.2', '10.0.0.1')), [401], 'another client of the proxy')
  t.same(await proxied.statuses(1, forwarded('198.51.100.1', '192.0.2.1')), [401], 'who is no proxy speaks for itself')
})

t.test('options that cannot work are refused with what to do', async (t) => {
  const register = async (options: object) => Fastify().register(lockoutPlugin, options)
  await t.rejects(register({ maxAttempts: 0 }), { message: /maxAttempts must be an integer from 1 to 1000/ })
  await t.rejects(register({ maxAttempts: 1001 }), { message: /maxAttempts/ })
  await t.rejects(register({ durationSeconds: 0.5 }), { message: /durationSeconds must be an integer/ })
  await t.rejects(register({ store: memoryStore() }), { message: /needs a key, the same in all processes/ })
  await t.rejects(register({ key: Buffer.alloc(31) }), { message: /key must have at least 32 bytes/ })
})
