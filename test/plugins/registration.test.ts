import Fastify, { type FastifyPluginAsync } from 'fastify'
import t from 'tap'
import database from '../../plugins/database/index.ts'
import docs from '../../plugins/docs/index.ts'
import encryption from '../../plugins/encryption/index.ts'
import envelope from '../../plugins/envelope/index.ts'
import mail from '../../plugins/mail/index.ts'
import passwords from '../../plugins/passwords/index.ts'
import redis from '../../plugins/redis/index.ts'
import securityHeaders from '../../plugins/security-headers/index.ts'
import validation from '../../plugins/validation/index.ts'

/** Registers it as a program in JavaScript may: with options that the types refuse. */
async function register(plugin: unknown, ...registrations: object[]): Promise<void> {
  const app = Fastify()
  try {
    for (const options of registrations) await app.register(plugin as FastifyPluginAsync<object>, options)
  } finally {
    await app.close()
  }
}

t.test('options that cannot work reject where they are given, and say which', async (t) => {
  const cases: [unknown, object, string][] = [
    [database, {}, 'database: give `url`, or `dataDir` (a folder, or null for memory)'],
    [database, { url: 'mysql://localhost/app' }, 'database: `url` must begin with postgres://'],
    [docs, { access: 'open' }, 'docs: `info` must have a title and a version'],
    [encryption, {}, 'encryption: keys must name at least one key'],
    [envelope, { maxUrlLength: 0 }, 'envelope: `maxUrlLength` must be longer than 0'],
    [mail, {}, 'mail: from must be like no-reply@example.com or Name <no-reply@example.com>'],
    [passwords, { memoryKiB: 1 }, 'passwords: memoryKiB must be an integer ≥ 8 × parallelism'],
    [
      redis,
      { url: 'redis://127.0.0.1', lazy: true, commandTimeoutMs: 0 },
      'redis: the deadline of a command must be longer than 0 ms'
    ],
    [securityHeaders, { origins: 'https://a.example' }, 'cors: `origins` must be a list'],
    [validation, { maxDepth: 0 }, 'validation: `maxDepth` must be an integer ≥ 1']
  ]
  for (const [plugin, options, message] of cases) await t.rejects(register(plugin, options), { message })
})

t.test('a plugin that is registered twice rejects where it is, and ends no process', async (t) => {
  await t.rejects(register(envelope, {}, {}), { message: /^envelope: .* twice\?$/ })
  const options = { access: 'closed', info: { title: 'Notes', version: '1' } }
  await t.rejects(register(docs, options, options), { message: /^docs: .* twice$/ })
})
