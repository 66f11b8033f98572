import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import t, { type Test } from 'tap'
import { openDatabase } from '../../plugins/database/index.ts'
import { runCli } from '../../scripts/cli/run.ts'
import { emptyDump } from '../support/embedded.ts'

const cli = (args: string[], typed = '') => {
  const input = new PassThrough()
  input.end(typed)
  return runCli(args, { input, output: new PassThrough() })
}

t.test('the help lists every command and its options', async (t) => {
  const help = await cli(['--help'])
  for (const name of ['init-db', 'seed', 'create-superuser', 'create-user', 'list-users', 'cleanup']) {
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
    [['list-users', '--limit', '0'], '--limit takes a whole number from 1 to 999999'],
    [['create-user', '--email', 'a@b.c'], 'Without a terminal, --email, --username and --password-stdin are needed']
  ]
  for (const [args, message] of cases) await t.rejects(cli(args), { name: 'UsageError', message })
  await t.rejects(cli(['cleanup', '--loud']), { code: 'ERR_PARSE_ARGS_UNKNOWN_OPTION' })
})

t.test('an account is created once, with a password that is accepted, and listed', async (t) => {
  environment(t, { DATA_DIR: t.testdirName, ARGON2_MEMORY_KIB: '8', ARGON2_TIME_COST: '1' })
  const empty = await openDatabase({ dataDir: join(t.testdirName, 'database'), load: await emptyDump() })
  await empty.close()
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
  t.same(JSON.parse(await cli(['cleanup', '--json'])), { sessions: 0, audit_events: 0, changes: 0 })
})

t.test('demo users are refused outside local, before anything is opened', async (t) => {
  environment(t, {
    ENVIRONMENT: 'production',
    DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none',
    JWT_SECRET: 'abcdefghijklmnopqrstuvwxyz0123456789',
    APP_KEYS: `k1:${Buffer.alloc(32, 7).toString('base64url')}`
  })
  await t.rejects(cli(['seed', '--demo']), { message: /^Demo users exist only/ })
})

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
