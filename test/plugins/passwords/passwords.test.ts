import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { hash as argon2Hash, argon2i } from 'argon2'
import Fastify from 'fastify'
import t from 'tap'
import {
  type PasswordHasher,
  PasswordRefused,
  type PasswordsOptions,
  passwordsPlugin
} from '../../../plugins/passwords/index.ts'
import { cheap, heldHasher, start } from './host.ts'

/** Everything of a PHC string but salt and hash. */
const parameters = (hash: string) => {
  const [, kind, version, costs = ''] = hash.split('$')
  return [kind, version, ...costs.split(',').sort()]
}

t.test('hashes are argon2id with the configured parameters and a fresh salt', async (t) => {
  const passwords = await start(t, { memoryKiB: 2048, timeCost: 3, parallelism: 1 })

  const [one, other] = await Promise.all([passwords.hash('correct horse'), passwords.hash('correct horse')])

  t.same(parameters(one), ['argon2id', 'v=19', 'm=2048', 'p=1', 't=3'])
  t.not(one, other)
})

t.test('the defaults are m=19456, t=2, p=1', async (t) => {
  const passwords = await start(t, {})
  t.same(parameters(await passwords.hash('correct horse')), ['argon2id', 'v=19', 'm=19456', 'p=1', 't=2'])
})

t.test('only the right password verifies', async (t) => {
  const passwords = await start(t)
  const hash = await passwords.hash('correct horse')

  t.same(await passwords.verify(hash, 'correct horse'), { valid: true, rehash: false })
  t.same(await passwords.verify(hash, 'correct house'), { valid: false, rehash: false })
})

t.test('an unknown user never verifies, and is hashed like a known one', async (t) => {
  const verified: string[] = []
  const hasher: PasswordHasher = {
    hash: async () => 'made at start',
    verify: async (hash) => verified.push(hash) > 0,
    needsRehash: () => true
  }
  const passwords = await start(t, { hasher })

  t.same(await passwords.verify(null, 'whatever it is'), { valid: false, rehash: false })
  t.same(verified, ['made at start'])
})

t.test(
  'a hash with other parameters or of another kind asks to be replaced, once the password proved right',
  async (t) => {
    const passwords = await start(t)
    const weaker = await argon2Hash('correct horse', { memoryCost: 1024, timeCost: 3, parallelism: 1 })
    const otherKind = await argon2Hash('correct horse', {
      memoryCost: 1024,
      timeCost: 2,
      parallelism: 1,
      type: argon2i
    })

    t.same(await passwords.verify(weaker, 'correct horse'), { valid: true, rehash: true })
    t.same(await passwords.verify(otherKind, 'correct horse'), { valid: true, rehash: true })
    t.same(await passwords.verify(weaker, 'wrong horse'), { valid: false, rehash: false })
  }
)

t.test('P02 nothing is trimmed, cut or case-folded', async (t) => {
  const passwords = await start(t)
  const long = 'x'.repeat(128)
  const hash = await passwords.hash(long)
  const spaced = await passwords.hash(' Spaced out ')

  t.equal((await passwords.verify(hash, long)).valid, true)
  t.equal((await passwords.verify(hash, long.slice(0, 127))).valid, false)
  t.equal((await passwords.verify(hash, `${long.slice(0, 127)}y`)).valid, false)
  t.equal((await passwords.verify(spaced, 'Spaced out')).valid, false)
  t.equal((await passwords.verify(spaced, ' spaced out ')).valid, false)
})

t.test('P02 composed and decomposed spelling are one password (NFC)', async (t) => {
  const passwords = await start(t)
  const hash = await passwords.hash('caf\u00e9 noir')
  t.equal((await passwords.verify(hash, 'cafe\u0301 noir')).valid, true)
})

t.test('P01 more than 128 characters are refused unhashed, at sign-in too', async (t) => {
  const { hasher, started, ready } = heldHasher()
  const passwords = await start(t, { hasher })
  ready()
  const long = 'x'.repeat(129)

  t.match(passwords.problem(long), /at most 128 characters/)
  await t.rejects(passwords.hash(long), { code: new PasswordRefused().code, statusCode: 422 })
  t.same(await passwords.verify('dummy', long), { valid: false, rehash: false })
  t.same(await passwords.verify(null, 'x'.repeat(1_000_000)), { valid: false, rehash: false })
  t.same(started, [])
})

t.test('lone surrogates are refused: they would all hash alike', async (t) => {
  const passwords = await start(t)
  t.match(passwords.problem('12345678\ud800'), /valid text/)
  await t.rejects(passwords.hash('12345678\ud800'), PasswordRefused)
})

t.test('P03 common passwords and their usual disguises are refused, passphrases are not', async (t) => {
  const passwords = await start(t)
  const common =
    'password PASSWORD P4ssw0rd P@ssw0rd123! iloveyou qwertyuiop Summer2024! jennifer london!! zzzzzzzzzz 12121212'
  const fine = [
    'correct horse',
    'Correct-horse-1',
    'summer of 69',
    'password manager',
    '8264019375',
    'london-0123456789'
  ]

  for (const plain of common.split(' ')) t.match(passwords.problem(plain), /too common/, plain)
  for (const plain of fine) t.equal(passwords.problem(plain), null, plain)
  t.match(passwords.problem('\uff50\uff41\uff53\uff53word'), /too common/, 'full-width letters')
})

t.test('a host may judge by another list', async (t) => {
  const passwords = await start(t, { ...cheap, isCommon: (plain) => plain === 'plinth plinth' })
  t.match(passwords.problem('plinth plinth'), /too common/)
  t.equal(passwords.problem('password'), null)
})

t.test('the length counts characters after NFC, not bytes or UTF-16 units', async (t) => {
  const passwords = await start(t, { ...cheap, isCommon: () => false })
  const cases: Array<[string, boolean]> = [
    ['x'.repeat(7), false],
    ['x'.repeat(8), true],
    ['😀'.repeat(7), false],
    ['😀'.repeat(8), true],
    ['e\u0301'.repeat(7), false],
    ['x'.repeat(128), true],
    ['😀'.repeat(128), true],
    ['e\u0301'.repeat(128), true],
    ['\u03b1\u0313\u0300\u0345'.repeat(128), true],
    ['x'.repeat(129), false],
    ['😀'.repeat(129), false]
  ]
  for (const [plain, accepted] of cases) {
    t.equal(passwords.problem(plain) === null, accepted, `${plain.length} units`)
  }
})

t.test('an e-mail address or username is no password', async (t) => {
  const passwords = await start(t)
  const owner = { email: 'Maria.Silva@example.com', username: 'maria.silva.1' }

  for (const plain of ['maria.silva@EXAMPLE.com', 'Maria.Silva', 'MARIA.SILVA.1']) {
    t.match(passwords.problem(plain, owner), /must not be the e-mail address or username/, plain)
  }
  t.equal(passwords.problem('maria.silva.2', owner), null)
  t.equal(passwords.problem('maria.silva.1'), null)
})

t.test('@node-rs/argon2 drops in as the README shows: each verifies the hashes of the other', async (t) => {
  const readme = readFileSync(join(import.meta.dirname, '../../../plugins/passwords/README.md'), 'utf8')
  const [, code = ''] = /^```ts\n(import [^\n]*@node-rs.*?)^```$/ms.exec(readme) ?? []
  const { hasher } = await import(join(t.testdir({ 'hasher.ts': code }), 'hasher.ts'))
  const costs = { memoryKiB: 19_456, timeCost: 2, parallelism: 1 }
  const [shipped, dropIn] = [await start(t, costs), await start(t, { hasher })]

  for (const [made, read] of [
    [shipped, dropIn],
    [dropIn, shipped]
  ] as const) {
    const hash = await made.hash('correct horse')
    t.same(parameters(hash), ['argon2id', 'v=19', 'm=19456', 'p=1', 't=2'])
    t.same(await read.verify(hash, 'correct horse'), { valid: true, rehash: false })
    t.same(await read.verify(hash, 'correct house'), { valid: false, rehash: false })
  }
  const weaker = await argon2Hash('correct horse', { memoryCost: 1024, timeCost: 2, parallelism: 1 })
  t.same(await dropIn.verify(weaker, 'correct horse'), { valid: true, rehash: true })
})

t.test('character classes are demanded only when configured', async (t) => {
  const lax = await start(t)
  const strict = await start(t, { ...cheap, requireClasses: true })

  t.equal(lax.problem('alllowercase'), null)
  t.match(strict.problem('alllower1case'), /upper-case/)
  t.match(strict.problem('ALLUPPER1CASE'), /lower-case/)
  t.match(strict.problem('NoDigitAtAll'), /digit/)
  t.equal(strict.problem('Ärgerlich7'), null)
})

t.test('options that make no sense are refused with the name of the option', async (t) => {
  const bad: Array<[PasswordsOptions, RegExp]> = [
    [{ concurrency: 0 }, /concurrency must be an integer ≥ 1/],
    [{ queue: -1 }, /queue must be an integer ≥ 0/],
    [{ minLength: Number.NaN }, /minLength must be an integer/],
    [{ minLength: 12, maxLength: 8 }, /maxLength must be an integer ≥ 12/]
  ]
  for (const [options, message] of bad) {
    await t.rejects(async () => Fastify().register(passwordsPlugin, { ...cheap, ...options }), message)
  }
})
