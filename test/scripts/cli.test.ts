import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { parseEnv } from 'node:util'
import Fastify from 'fastify'
import { decodeProtectedHeader } from 'jose'
import t, { type Test } from 'tap'
import accessTokens from '../../plugins/access-tokens/index.ts'
import { progress } from '../../scripts/cli/progress.ts'
import { runCli } from '../../scripts/cli/run.ts'
import { loadConfig } from '../../src/config.ts'
import { generateAppKey } from '../../src/keys.ts'
import * as options from '../../src/options.ts'
import { generateSecrets, withLocalSecrets } from '../../src/secrets.ts'
import { copyEmpty } from '../support/embedded.ts'

const cli = (args: string[], typed = '') => {
  const input = new PassThrough()
  input.end(typed)
  return runCli(args, { input, output: new PassThrough() })
}

t.test('the help lists every command and its options', async (t) => {
  const help = await cli(['--help'])
  for (const name of [
    'init-db',
    'seed',
    'create-superuser',
    'create-user',
    'create-api-key',
    'list-users',
    'cleanup',
    'rotate-keys'
  ]) {
    t.match(help, new RegExp(`^  ${name} +\\w`, 'm'))
  }
  t.match(await cli(['create-user', '--help']), '--password-stdin')
})

t.test('wrong usage is refused before anything is opened', async (t) => {
  const cases: [args: string[], message: string][] = [
    [[], 'A command is missing'],
    [['dance'], 'Unknown command dance'],
    [['toString'], 'Unknown command toString'],
    [['cleanup', '--admin'], 'cleanup has no option --admin'],
    [['cleanup', 'all'], 'cleanup takes only options, not "all"'],
    [['rotate-keys', '--stage', '--prune'], '--stage and --prune exclude each other'],
    [['rotate-keys', '--algorithm', 'none'], '--algorithm takes HS256, EdDSA, ES256 or RS256, of JWT_KEYS'],
    [['seed', '--items', '1e6'], '--items takes a whole number from 0 to 99999999'],
    [['list-users', '--limit', '0'], '--limit takes a whole number from 1 to 99999999'],
    [['create-api-key', '--days', '7'], '--username is needed'],
    [['create-api-key', '--username', 'ada', '--days', '0'], '--days takes a whole number from 1'],
    [['create-user', '--email', 'a@b.c'], 'Without a terminal, --email, --username and --password-stdin are needed']
  ]
  for (const [args, message] of cases) await t.rejects(cli(args), { name: 'UsageError', message })
  await t.rejects(cli(['cleanup', '--loud']), { code: 'ERR_PARSE_ARGS_UNKNOWN_OPTION' })
})

t.test('an account is created once, with a password that is accepted, and listed', async (t) => {
  environment(t, { DATA_DIR: t.testdirName, ARGON2_MEMORY_KIB: '8', ARGON2_TIME_COST: '1' })
  await copyEmpty(join(t.testdirName, 'database'))
  const ada = ['create-superuser', '--email', 'Ada@Example.com', '--username', 'Ada', '--password-stdin']
  const eve = ['create-user', '--email', 'eve@example.com', '--username', 'eve', '--password-stdin', '--json']

  t.match(await cli(['init-db']), /^\d+ migration\(s\) done, seeded$/)
  t.equal(await cli(ada, 'correct horse battery\n'), 'Administrator ada created')
  await t.rejects(cli(ada, 'another one entirely\n'), { message: 'The e-mail address or the username is taken' })
  await t.rejects(cli(eve, 'short'), { message: /^Password must have at least/ })

  const users: { username: string }[] = JSON.parse(await cli(['list-users', '--json']))
  t.match(
    users.find(({ username }) => username === 'ada'),
    { email: 'ada@example.com', roles: ['admin'], is_active: true }
  )
  t.notOk(users.some(({ username }) => username === 'eve'))
  const told = new PassThrough()
  const bulk = ['seed', '--users', '25', '--items', '40', '--json']
  const seeded = await runCli(bulk, { input: new PassThrough(), output: told })
  t.same(JSON.parse(seeded), { demo: false, users: 25, items: 40 })
  t.match(String(told.read()), /^25 users in [\d.]+ s, [\d,]+\/s\n40 items in /, 'progress, beside the result')
  t.equal(JSON.parse(await cli(['list-users', '--json'])).length, users.length + 25)

  const create = ['create-api-key', '--username', 'ada', '--name', 'backup', '--scopes', 'read:user:me, read:user:all']
  t.match(JSON.parse(await cli([...create, '--json'])), {
    api_key: /^pl_[0-9a-f_]+$/,
    name: 'backup',
    scopes: ['read:user:me', 'read:user:all']
  })
  const missing = cli(['create-api-key', '--username', 'ada', '--scopes', 'fly:moon:all'])
  await t.rejects(missing, { message: 'ada lacks fly:moon:all' })
  const ageless = cli(['create-api-key', '--username', 'ada', '--days', '99999'])
  await t.rejects(ageless, { name: 'UsageError', message: '--days: An API key lives for 1 to 365 days' })
  await t.rejects(cli(['create-tier', '--name', 'pro']), { message: 'There is a tier pro already' })
  t.match(JSON.parse(await cli(['cleanup', '--json'])), { sessions: 0, changes: 0 })
})

t.test('on a terminal long work shows a bar that grows', async (t) => {
  const output = Object.assign(new PassThrough(), { isTTY: true })
  const show = progress(output, 'rows', 1000)
  show(500)
  const half = String(output.read())
  t.ok(half.startsWith(`\r${'█'.repeat(15)}${'░'.repeat(15)} 500 rows, `), half)
  show(1000)
  t.match(String(output.read()), /^\r█{30} 1,000 rows, .*\n$/)
})

t.test('demo users are refused outside local, before anything is opened', async (t) => {
  environment(t, {
    ENVIRONMENT: 'production',
    DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none',
    JWT_SECRET: 'k3J9x2Lm8Qw7Zr5Tn4Vb6Yc1Hd0Gf-_A',
    APP_KEYS: generateAppKey()
  })
  await t.rejects(cli(['seed', '--demo']), { message: /^Demo users exist only/ })
})

t.test('A21: rotate-keys prints keys of the environment, and no token dies of it', async (t) => {
  const variables = { ENVIRONMENT: 'production', DATABASE_URL: 'postgres://db/app', APP_KEYS: generateAppKey() }
  const env: Record<string, string> = { ...variables, JWT_SECRET: generateSecrets().JWT_SECRET }
  const rotate = async (...args: string[]) => {
    environment(t, env)
    Object.assign(env, parseEnv(await cli(['rotate-keys', ...args])))
    return startTokens(t, env)
  }
  const subject = { sub: 'user', sid: 'session' }
  const first = await startTokens(t, env)
  const old = first.sign(subject).token

  const staged = await rotate('--stage', '--algorithm', 'EdDSA')
  t.equal(decodeProtectedHeader(staged.sign(subject).token).alg, 'HS256')
  const promoted = await rotate('--promote')
  const { token } = promoted.sign(subject)
  t.match([env.JWT_ALGORITHM, env.JWT_SECRET], ['EdDSA', ''])
  t.equal(decodeProtectedHeader(token).alg, 'EdDSA')
  for (const tokens of [staged, promoted]) {
    t.match(tokens.verify(token), subject, 'the new one')
    t.match(tokens.verify(old), subject, 'the old one, without a kid')
  }
  const rotated = await rotate()
  t.match(rotated.verify(token), subject)
  t.not(decodeProtectedHeader(rotated.sign(subject).token).kid, decodeProtectedHeader(token).kid)
  const pruned = await rotate('--prune')
  t.match(pruned.verify(rotated.sign(subject).token), subject)
  for (const dead of [old, token]) t.throws(() => pruned.verify(dead), { code: 'ACCESS_TOKEN_INVALID' })
})

t.test('rotate-keys changes generated keys in their file and prints none of them', async (t) => {
  environment(t, {})
  const file = '.data/secrets.json'
  const kept = () => JSON.parse(readFileSync(file, 'utf8'))

  t.equal(await cli(['rotate-keys']), `${file} has changed; restart the service`)
  const { JWT_KEYS, APP_KEYS } = kept()
  t.match(JWT_KEYS, /^[\w-]+:HS256:[\w-]{43},:HS256:[\w-]+$/)
  await cli(['rotate-keys', '--app-keys'])
  t.equal(kept().JWT_KEYS, JWT_KEYS)
  t.ok(kept().APP_KEYS.endsWith(`,${APP_KEYS}`))
  await cli(['rotate-keys', '--app-keys', '--prune'])
  await cli(['rotate-keys', '--prune'])
  t.equal(kept().JWT_KEYS, JWT_KEYS.split(',')[0])
  t.match(kept().APP_KEYS, /^[\w-]+:[\w-]{43}$/)
  t.equal(statSync(file).mode & 0o777, 0o600)
  await t.rejects(cli(['rotate-keys', '--algorithm', 'EdDSA']), { message: /^Set JWT_ALGORITHM/ })
})

t.test('rotate-keys makes the first keys of a production service', async (t) => {
  environment(t, { ENVIRONMENT: 'production', JWT_ALGORITHM: 'ES256' })
  t.match(await cli(['rotate-keys']), /^JWT_KEYS=[\w-]+:ES256:[\w-]+$/)
  t.match(await cli(['rotate-keys', '--app-keys']), /^APP_KEYS=[\w-]+:[\w-]{43}$/)
  t.match(JSON.parse(await cli(['rotate-keys', '--json'])), { action: 'rotate', variables: { JWT_KEYS: /ES256/ } })
  await t.rejects(cli(['rotate-keys', '--prune']), { message: 'JWT_KEYS has no key yet' })
})

/** The access tokens of a service with this environment. */
async function startTokens(t: Test, env: Record<string, string>) {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(accessTokens, options.accessTokens(withLocalSecrets(loadConfig(env))))
  return app.accessTokens
}

/** Gives the process these variables alone until the test ends, away from any `.env`. */
function environment(t: Test, variables: Record<string, string>) {
  const { env } = process
  const folder = process.cwd()
  process.env = { PATH: env.PATH, ...variables }
  process.chdir(t.testdir())
  t.teardown(() => {
    process.env = env
    process.chdir(folder)
  })
}
