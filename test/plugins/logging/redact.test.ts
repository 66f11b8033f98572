import t from 'tap'
import { createLogger, type LoggingOptions } from '../../../plugins/logging/index.ts'

const SECRET = 'hunter2-hunter2'

function logged(
  log: (logger: ReturnType<typeof createLogger>['logger']) => void,
  options: LoggingOptions = {}
): string {
  let text = ''
  log(createLogger({ destination: { write: (line) => (text += line) }, ...options }).logger)
  return text
}

t.test('values of secret fields are replaced, whatever the spelling and the depth (O06)', async (t) => {
  const names = [
    ...['authorization', 'Authorization', 'cookie', 'set-cookie', 'Set-Cookie', 'x-api-key', 'apiKey', 'api_key'],
    ...['password', 'new_password', 'currentPassword', 'password_hash', 'PASSWORD', 'passphrase', 'private_key'],
    ...['token', 'access_token', 'refreshToken', 'id-token', 'secret', 'JWT_SECRET', 'clientSecret']
  ]
  for (const name of names) {
    const field = { [name]: SECRET }
    const text = logged((logger) => {
      logger.info(field, 'top level')
      logger.info({ req_body: { user: field } }, 'nested')
      logger.info({ list: [[field], { deep: { deeper: { deepest: field } } }] }, 'in arrays')
      logger.error(Object.assign(new Error('failed'), { config: { headers: field } }))
      logger.error({ cause: new AggregateError([Object.assign(new Error('inner'), field)]) }, 'in errors')
      logger.info({ [name]: { nested: [SECRET] } }, 'whole objects')
    })

    t.notMatch(text, SECRET, name)
    t.equal(text.split('[redacted]').length, 7, `${name}: the field itself stays visible`)
  }
})

t.test('names given as options are secret too', async (t) => {
  const text = logged((logger) => logger.info({ DATABASE_URL: SECRET, database: { databaseUrl: SECRET } }, 'x'), {
    redact: ['database_url']
  })

  t.notMatch(text, SECRET)
})

t.test('everything else is logged as it is, and the logged object is not changed', async (t) => {
  const fields = { user: { id: 7, tags: ['a'], none: null }, at: new Date(0), ok: true, password: SECRET, token: null }

  const text = logged((logger) => logger.info(fields, 'x'))

  t.match(JSON.parse(text), {
    user: { id: 7, tags: ['a'], none: null },
    at: '1970-01-01T00:00:00.000Z',
    ok: true,
    password: '[redacted]',
    token: null
  })
  t.equal(fields.password, SECRET)
})

t.test('cycles, large graphs, binary data and hostile objects neither throw nor flood the log', async (t) => {
  const cycle: Record<string, unknown> = { name: 'loop' }
  cycle.self = cycle
  const graph = Array.from({ length: 200 }, (_, n) => ({ n, all: [] as unknown[] }))
  for (const node of graph) node.all = graph
  const throwing = {
    toJSON() {
      throw new Error('no')
    }
  }

  const text = logged((logger) => {
    logger.info({ cycle, graph, key: Buffer.from(SECRET), throwing, big: 10n }, 'odd')
    logger.info(Object.create(null), 'bare')
  })

  t.equal(text.trim().split('\n').length, 2)
  t.match(text, /"throwing":"\[unreadable\]"/)
  t.notMatch(text, Buffer.from(SECRET).toJSON().data.join(','))
  t.ok(text.length < 20_000, `${text.length} characters`)
})
