import t from 'tap'
import { createRedis } from '../../../plugins/redis/index.ts'

const refused: Array<[string, Parameters<typeof createRedis>[0], string]> = [
  ['neither a URL nor nodes', {}, 'redis: give either `url` or `nodes`'],
  ['both', { url: 'redis://a', nodes: ['b:1'] }, 'redis: give either `url` or `nodes`'],
  ['no node at all', { nodes: [] }, 'redis: `nodes` is empty; name at least one node'],
  [
    'another scheme',
    { url: 'http://user:hunter2@a' },
    'redis: an address must look like redis://[user:password@]host:port[/db], rediss://… or host:port'
  ],
  [
    'a port out of range',
    { nodes: ['redis://:hunter2@a:99999'] },
    'redis: an address must look like redis://[user:password@]host:port[/db], rediss://… or host:port'
  ],
  [
    'a database that is no number',
    { url: 'redis://a/x' },
    'redis: the path of an address must be the number of a database'
  ]
]

for (const [what, options, message] of refused) {
  t.test(`refused with words that help and no password: ${what}`, async (t) => {
    t.throws(() => createRedis(options), { message })
  })
}

t.test('a URL says all there is to say', async (t) => {
  const { options } = createRedis({ url: 'rediss://app:p%40ss@[::1]:6390/3', prefix: 'p:', lazy: true })
  t.match(options, { host: '::1', port: 6390, db: 3, username: 'app', password: 'p@ss', tls: {}, keyPrefix: 'p:' })
})

t.test('options go before the URL', async (t) => {
  const tls = { ca: 'certificate' }
  const { options } = createRedis({ url: 'redis://:old@localhost', password: 'new', tls, lazy: true })
  t.match(options, { host: 'localhost', port: 6379, password: 'new', tls })
})

t.test('no command outlives its connection or is sent twice, and every wait is bounded', async (t) => {
  const { options } = createRedis({ url: 'redis://localhost', connectTimeoutMs: 500, commandTimeoutMs: 50, lazy: true })
  t.match(options, {
    connectTimeout: 500,
    commandTimeout: 50,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false
  })
})

t.test('the pause before the next attempt to connect never exceeds half a second', async (t) => {
  const { options } = createRedis({ url: 'redis://localhost', lazy: true })
  for (const attempt of [1, 2, 5, 100, 1_000_000]) {
    // A single server has one.
    const pause = (options as { retryStrategy: (attempt: number) => number }).retryStrategy(attempt)
    t.ok(pause >= 50 && pause <= 500, `${pause} ms after attempt ${attempt}`)
  }
})
