import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { ConfigError, loadConfig, readEnvironment } from '../../src/config.ts'
import { derivedKeys } from '../../src/keys.ts'
import { generateSecrets, withLocalSecrets } from '../../src/secrets.ts'
import { trustProxy } from '../../src/trust-proxy.ts'

const production = {
  ENVIRONMENT: 'production',
  DATABASE_URL: 'postgres://app:pw@db/app',
  ...generateSecrets()
}

function problemsOf(env: Record<string, string>): readonly string[] {
  try {
    loadConfig(env)
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  return []
}

t.test('no environment at all is a valid local configuration on loopback', async (t) => {
  const config = loadConfig({})
  t.match(config, { ENVIRONMENT: 'local', HOST: '127.0.0.1', PORT: 3000, COOKIE_SECURE: false })
  t.equal(config.DATABASE_URL, undefined)
  t.ok(Object.isFrozen(config))
})

t.test('O10: every problem is listed at once, by name, without values', async (t) => {
  const problems = problemsOf({
    ENVIRONMENT: 'prod',
    PORT: '70000',
    LOG_LEVEL: 'loud',
    DB_ECHO: 'perhaps',
    DATABASE_URL: 'mysql://root:hunter2@db/app',
    JWT_SECRET: 'hunter2',
    APP_KEYS: 'k1:hunter2',
    TRUST_PROXY: 'true',
    PUBLIC_URL: 'ftp://x',
    SMTP_URL: 'http://user:hunter2@mx',
    MAIL_FROM: 'nobody',
    REFRESH_TOKEN_DAYS: '100',
    ADMIN_EMAIL: 'a@example.com',
    ARGON2_MEMORY_KIB: '1e4'
  })
  const names = problems.map((problem) => problem.split(' ')[0])
  for (const name of [
    'ENVIRONMENT',
    'PORT',
    'LOG_LEVEL',
    'DB_ECHO',
    'DATABASE_URL',
    'JWT_SECRET',
    'APP_KEYS',
    'TRUST_PROXY',
    'PUBLIC_URL',
    'SMTP_URL',
    'MAIL_FROM',
    'REFRESH_TOKEN_DAYS',
    'ADMIN_EMAIL',
    'ARGON2_MEMORY_KIB'
  ]) {
    t.ok(names.includes(name), `${name} is reported`)
  }
  t.notMatch(problems.join('\n'), /hunter2|70000|perhaps/)
})

t.test('A20: production refuses to start with nothing, and with weak secrets', async (t) => {
  t.match(problemsOf({ ENVIRONMENT: 'production' }).join(), /DATABASE_URL.*JWT_SECRET.*APP_KEYS/s)
  t.match(problemsOf({ ...production, JWT_SECRET: 'a'.repeat(64) }).join(), /JWT_SECRET/)
  t.match(problemsOf({ ...production, JWT_SECRET: 'short' }).join(), /JWT_SECRET/)
  t.match(problemsOf({ ...production, APP_KEYS: 'k1:c2hvcnQ' }).join(), /APP_KEYS/)
  t.match(problemsOf({ ...production, ENCRYPTION_KEYS: 'k1:c2hvcnQ' }).join(), /ENCRYPTION_KEYS/)
  t.match(problemsOf({ ...production, ARGON2_MEMORY_KIB: '64' }).join(), /ARGON2_MEMORY_KIB/)
  t.same(problemsOf(production), [])
  t.match(loadConfig(production), { HOST: '0.0.0.0', COOKIE_SECURE: true })
})

t.test(
  'production sends no mail without an address for its links and a sender, and asks for no proof it cannot get',
  (t) => {
    const names = (env: object) => problemsOf({ ...production, ...env }).map((problem) => problem.split(' ')[0])
    const SMTP_URL = 'smtps://user:hunter2@mx.example.com'
    t.same(names({ SMTP_URL }), ['PUBLIC_URL', 'MAIL_FROM'])
    t.same(names({ REQUIRE_EMAIL_VERIFICATION: 'true' }), ['SMTP_URL'])
    const complete = { SMTP_URL, PUBLIC_URL: 'https://example.com', MAIL_FROM: 'Plinth <no-reply@example.com>' }
    t.same(names({ ...complete, REQUIRE_EMAIL_VERIFICATION: 'true' }), [])
    t.end()
  }
)

t.test('local never listens beyond loopback', async (t) => {
  t.match(problemsOf({ HOST: '0.0.0.0' }).join(), /HOST/)
  t.same(problemsOf({ HOST: '::1' }), [])
})

t.test('contradictions between variables are reported', async (t) => {
  t.match(problemsOf({ DATABASE_URL: 'postgres://x/y', DB_HOST: 'x' }).join(), /DB_HOST.*DB_NAME.*DB_USER/s)
  t.match(problemsOf({ REDIS_URL: 'redis://x', REDIS_CLUSTER_NODES: 'x:1' }).join(), /REDIS_URL/)
  t.match(problemsOf({ COOKIE_SAMESITE: 'none', COOKIE_SECURE: 'false' }).join(), /COOKIE_SECURE/)
  t.match(problemsOf({ JWT_SECRET: 'x'.repeat(40), JWT_SECRET_FILE: '/nowhere' }).join(), /JWT_SECRET.*_FILE/)
})

t.test('parts of a database and Redis address become URLs, with everything escaped', async (t) => {
  const config = loadConfig({
    DB_HOST: 'db',
    DB_NAME: 'app',
    DB_USER: 'a@b',
    DB_PASSWORD: 'p/w:1',
    REDIS_HOST: 'cache',
    REDIS_TLS: 'true',
    REDIS_PASSWORD: 's@'
  })
  t.equal(config.DATABASE_URL, 'postgres://a%40b:p%2Fw%3A1@db:5432/app')
  t.equal(config.REDIS_URL, 'rediss://:s%40@cache:6379/0')
})

t.test('faults that only a plugin would notice are found with all the others', async (t) => {
  const problems = problemsOf({
    CORS_ORIGINS: '*',
    ALLOWED_HOSTS: 'http://x',
    ADMIN_EMAIL: 'a@example.com',
    ADMIN_USERNAME: 'x',
    ADMIN_PASSWORD: 'Correct-horse-1',
    ARGON2_MEMORY_KIB: '8',
    ARGON2_PARALLELISM: '4',
    REDIS_CLUSTER_NODES: 'http://a:99999',
    PUBLIC_URL: 'https://x/api?q=1',
    TRUST_PROXY: 'true'
  })
  t.same(problems.map((problem) => problem.split(' ')[0]).sort(), [
    'ADMIN_USERNAME',
    'ALLOWED_HOSTS',
    'ARGON2_MEMORY_KIB',
    'CORS_ORIGINS',
    'PUBLIC_URL',
    'REDIS_CLUSTER_NODES',
    'TRUST_PROXY'
  ])
  t.match(problemsOf({ REDIS_URL: 'redis://h/abc' }).join(), /REDIS_URL/)
  t.match(problemsOf({ REDIS_URL: 'redis://h', REDIS_TLS: 'true' }).join(), /REDIS_URL/)
  t.equal(problemsOf({ ...production, JWT_SECRET: 'short' }).length, 1, 'one fault is told once')
})

t.test('IPv6 hosts stand in brackets', async (t) => {
  const config = loadConfig({ DB_HOST: '::1', DB_NAME: 'app', DB_USER: 'app', REDIS_HOST: '::1' })
  t.equal(config.DATABASE_URL, 'postgres://app@[::1]:5432/app')
  t.equal(config.REDIS_URL, 'redis://[::1]:6379/0')
})

t.test('TRUST_PROXY takes addresses, and trusts nobody by default', async (t) => {
  t.equal(trustProxy(loadConfig({}).TRUST_PROXY), false)
  const isTrusted = trustProxy(loadConfig({ TRUST_PROXY: '10.0.0.0/8, ::1' }).TRUST_PROXY)
  const addresses = ['10.1.2.3', '::ffff:10.1.2.3', '0:0::1', '11.1.2.3', '::2', 'nonsense', 'x'.repeat(1000)]
  for (const round of ['parsed', 'remembered']) {
    t.same(isTrusted && addresses.filter((address) => isTrusted(address, 0)), addresses.slice(0, 3), round)
  }
  for (const bad of ['true', '*', '1', 'loopback, 10.0.0.0/0', '10.0.0.0/40', 'example.com']) {
    t.match(problemsOf({ TRUST_PROXY: bad }).join(), /TRUST_PROXY/, bad)
  }
})

t.test('secrets may come from files; .env is read below the environment', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'plinth-config-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const { JWT_SECRET } = generateSecrets()
  writeFileSync(join(folder, 'jwt'), `${JWT_SECRET}\n`)
  t.equal(loadConfig({ JWT_SECRET_FILE: join(folder, 'jwt') }).JWT_SECRET, JWT_SECRET)
  t.match(problemsOf({ JWT_SECRET_FILE: join(folder, 'absent') }).join(), /JWT_SECRET cannot be read/)

  writeFileSync(join(folder, '.env'), 'APP_NAME="From file"\nHOME=/from-file\n')
  const env = readEnvironment(join(folder, '.env'))
  t.equal(env.APP_NAME, 'From file')
  t.equal(env.HOME, process.env.HOME)
  t.same(readEnvironment(join(folder, 'absent')), { ...process.env })
})

t.test('local secrets are made once, kept private and never made elsewhere', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'plinth-secrets-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const settings = loadConfig({ DATA_DIR: join(folder, 'data') })

  const first = withLocalSecrets(settings)
  const second = withLocalSecrets(settings)

  t.same([second.JWT_SECRET, second.APP_KEYS], [first.JWT_SECRET, first.APP_KEYS])
  t.equal(statSync(join(folder, 'data')).mode & 0o777, 0o700)
  t.equal(statSync(join(folder, 'data/secrets.json')).mode & 0o777, 0o600)
  writeFileSync(join(folder, 'data/secrets.json'), '{')
  t.throws(() => withLocalSecrets(settings), /damaged/)
  const { JWT_SECRET: _, ...incomplete } = loadConfig(production)
  t.throws(() => withLocalSecrets(incomplete), /required/)
})

t.test('keys of different purposes differ, keys of one purpose are stable', async (t) => {
  const { APP_KEYS } = generateSecrets()
  const [a] = derivedKeys(APP_KEYS, 'a')
  t.same(derivedKeys(APP_KEYS, 'a')[0], a)
  t.notSame(derivedKeys(APP_KEYS, 'b')[0]?.key, a?.key)
  t.equal(a?.key.length, 32)
})
