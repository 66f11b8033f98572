import { generateKeyPairSync } from 'node:crypto'
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ConfigError, loadConfig } from '../../src/config.ts'
import { generateJwtKey, jwtKeys, parseJwtKeys } from '../../src/jwt-keys.ts'
import { generateAppKey } from '../../src/keys.ts'
import { rewriteSecrets, withLocalSecrets } from '../../src/secrets.ts'

const algorithms = ['HS256', 'EdDSA', 'ES256', 'RS256'] as const
const production = { ENVIRONMENT: 'production', DATABASE_URL: 'postgres://app:pw@db/app', APP_KEYS: generateAppKey() }

function problemsOf(env: Record<string, string>): readonly string[] {
  try {
    loadConfig({ ...production, ...env })
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  return []
}

t.test('generated keys of every algorithm are accepted and say which they are', async (t) => {
  for (const algorithm of algorithms) {
    const entry = generateJwtKey(algorithm)
    t.match(entry, new RegExp(`^\\d{4}-\\d\\d-\\d\\d-[0-9a-f]{6}:${algorithm}:`))
    t.same(problemsOf({ JWT_ALGORITHM: algorithm, JWT_KEYS: entry }), [])
    t.match(jwtKeys({ JWT_KEYS: `${entry},${generateJwtKey('EdDSA')}` }), [{ algorithm }, { algorithm: 'EdDSA' }])
  }
})

t.test('JWT_SECRET is one key without a kid, and the same as an entry of JWT_KEYS', async (t) => {
  const JWT_SECRET = 'ünicode-and-thirty-two-bytes-or-more'
  t.same(jwtKeys({ JWT_SECRET }), [{ algorithm: 'HS256', secret: Buffer.from(JWT_SECRET) }])
  const entry = `:HS256:${Buffer.from(JWT_SECRET).toString('base64')}`
  t.same(jwtKeys({ JWT_KEYS: `${generateJwtKey('HS256')},${entry}` })[1], jwtKeys({ JWT_SECRET })[0])
})

t.test('private keys may be DER, or the PEM that openssl writes, in base64', async (t) => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const der = privateKey.export({ type: 'pkcs8', format: 'der' })
  const pem = Buffer.from(privateKey.export({ type: 'pkcs8', format: 'pem' }))
  for (const bytes of [der.toString('base64'), der.toString('base64url'), pem.toString('base64')]) {
    t.same(problemsOf({ JWT_ALGORITHM: 'ES256', JWT_KEYS: `k1:ES256:${bytes}` }), [])
  }
})

t.test('A20: production refuses keys that are absent, weak, placeholders or for another algorithm', async (t) => {
  const [hs, ed] = [generateJwtKey('HS256'), generateJwtKey('EdDSA')]
  const hs256 = (secret: string | Buffer) => `k:HS256:${Buffer.from(secret).toString('base64url')}`
  const cases: Array<[env: Record<string, string>, problem: RegExp]> = [
    [{}, /^JWT_SECRET is required .*or JWT_KEYS/],
    [{ JWT_ALGORITHM: 'EdDSA' }, /^JWT_KEYS is required .*rotate-keys/],
    [{ JWT_ALGORITHM: 'EdDSA', JWT_SECRET: 'x'.repeat(40) }, /^JWT_SECRET is for HS256 only/],
    [{ JWT_ALGORITHM: 'EdDSA', JWT_KEYS: `${hs},${ed}` }, /^JWT_KEYS must begin with a key of JWT_ALGORITHM/],
    [{ JWT_KEYS: ed }, /^JWT_KEYS must begin with a key of JWT_ALGORITHM/],
    [{ JWT_KEYS: hs, JWT_SECRET: 'k3J9x2Lm8Qw7Zr5Tn4Vb6Yc1Hd0Gf-_A' }, /^JWT_SECRET is set together with JWT_KEYS/],
    [{ JWT_SECRET: 'change-me-change-me-0123456789-abcdef' }, /^JWT_SECRET is too simple/],
    [{ JWT_SECRET: 'my-super-secret-key-with-many-letters' }, /^JWT_SECRET is too simple/],
    [{ JWT_SECRET: '0'.repeat(64) }, /^JWT_SECRET is too simple/],
    [{ JWT_SECRET: 'abcdefghijklmnopqrstuvwxyz012345' }, /^JWT_SECRET is too simple/],
    [{ JWT_SECRET: 'k3J9x2Lm8Qw7Zr5T'.repeat(3) }, /^JWT_SECRET is too simple/],
    [{ JWT_KEYS: `${hs},${hs256(Buffer.alloc(32))}` }, /^JWT_KEYS is too simple/],
    [{ JWT_KEYS: hs256(Buffer.alloc(31, 'abcdefghijklmnopqrstuvwxyz')) }, /^JWT_KEYS key 1: .*32 bytes/],
    [{ JWT_SECRET: 'k3J9x2Lm8Qw7Zr5Tn4Vb6Yc1Hd0Gf-_A', APP_KEYS: `k1:${'A'.repeat(43)}` }, /^APP_KEYS is too simple/]
  ]
  for (const [env, problem] of cases) {
    const problems = problemsOf(env)
    t.equal(problems.length, 1, problems.join())
    t.match(problems[0], problem)
  }
  t.same(problemsOf({ JWT_KEYS: `${hs},${ed}` }), [], 'an old key of another algorithm goes on verifying')
})

t.test('A20: every fault of JWT_KEYS is named by position, and no value is shown', async (t) => {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey
  const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey
  const entry = (kid: string, algorithm: string, key: typeof rsa) =>
    `${kid}:${algorithm}:${key.export({ type: 'pkcs8', format: 'der' }).toString('base64')}`
  const good = generateJwtKey('EdDSA')
  const text = [
    good,
    entry('hunter2', 'RS256', rsa),
    entry('b', 'ES256', p384),
    entry('c', 'EdDSA', p384),
    good,
    'hunter2',
    'd:HS512:aHVudGVyMg',
    'e:HS256:aHVudGVyMg',
    `f:EdDSA:${Buffer.alloc(48, 1).toString('base64')}`,
    `:EdDSA:${good.split(':')[2]}`,
    `${'g'.repeat(65)}:HS256:${Buffer.alloc(32).toString('base64')}`,
    'h:HS256:hunter2:hunter2',
    ''
  ].join()

  const { keys, problem = '' } = parseJwtKeys(text)

  t.same(keys, [])
  t.same(problem.split('; '), [
    'key 2: RS256 needs an RSA private key of at least 2048 bits',
    'key 3: ES256 needs a P-256 private key',
    'key 4: EdDSA needs an Ed25519 private key',
    'key 5: has the kid of another key',
    'key 6: must be kid:algorithm:base64',
    'key 7: the algorithm must be HS256, EdDSA, ES256 or RS256',
    'key 8: a secret must have at least 32 bytes',
    'key 9: is no private key in PKCS #8',
    'key 10: an EdDSA key needs a kid',
    'key 11: a kid has 1 to 64 of [A-Za-z0-9_.-]',
    'key 12: must be kid:algorithm:base64',
    'key 13: must be kid:algorithm:base64'
  ])
})

t.test('a local service makes the keys of its algorithm, and keeps the old ones when that changes', async (t) => {
  const DATA_DIR = t.testdir()
  const keysUnder = (JWT_ALGORITHM: string) => jwtKeys(withLocalSecrets(loadConfig({ DATA_DIR, JWT_ALGORITHM })))
  const [secret] = keysUnder('HS256')

  const [ed, ...old] = keysUnder('EdDSA')

  t.equal(ed?.algorithm, 'EdDSA')
  t.same(old, [secret])
  t.same(keysUnder('EdDSA')[0]?.kid, ed?.kid, 'made once')
  t.equal(keysUnder('ES256').length, 3)
  t.equal(statSync(join(DATA_DIR, 'secrets.json')).mode & 0o777, 0o600)
  const fresh = withLocalSecrets(loadConfig({ DATA_DIR: join(DATA_DIR, 'fresh'), JWT_ALGORITHM: 'EdDSA' }))
  t.match(jwtKeys(fresh), [{ algorithm: 'EdDSA' }])
  t.equal(jwtKeys(fresh).length, 1)
})

t.test('kept secrets change as a whole: never by two processes at once, never half', async (t) => {
  const DATA_DIR = t.testdir()
  withLocalSecrets(loadConfig({ DATA_DIR }))
  const file = join(DATA_DIR, 'secrets.json')
  const before = readFileSync(file, 'utf8')
  const second = () => rewriteSecrets(DATA_DIR, (secrets) => secrets)

  t.throws(
    () =>
      rewriteSecrets(DATA_DIR, () => {
        t.throws(second, /another process/)
        throw new Error('no')
      }),
    { message: 'no' }
  )
  t.equal(readFileSync(file, 'utf8'), before)
  t.notOk(existsSync(`${file}.next`))
  second()
  writeFileSync(file, JSON.stringify({ APP_KEYS: 'k1:x', JWT_KEYS: 'k1:EdDSA:x' }))
  t.throws(() => withLocalSecrets(loadConfig({ DATA_DIR })), /damaged/)
})
