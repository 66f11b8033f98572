import { setImmediate } from 'node:timers/promises'
import { argon2id, hash } from 'argon2'
import t from 'tap'
import { signIn, signUp, startApp } from '../support/app.ts'

const app = await startApp(t)

const register = (fields: object) =>
  app.inject({
    method: 'POST',
    url: '/api/v1/auth/register',
    payload: { email: 'new@example.com', username: 'new-name', password: 'Correct-horse-1', ...fields }
  })
const login = (identifier: string, password: string) =>
  app.inject({ method: 'POST', url: '/api/v1/auth/login', payload: { identifier, password } })
const change = (headers: object, payload: object) =>
  app.inject({ method: 'POST', url: '/api/v1/users/me/change-password', headers: { ...headers }, payload })
const statusOf = async (headers: Record<string, string>) =>
  (await app.inject({ url: '/api/v1/users/me', headers })).statusCode
const hashOf = async (username: string, { db } = app) => {
  const users = db.selectFrom('users').select('password_hash').where('username', '=', username)
  return (await users.executeTakeFirstOrThrow()).password_hash
}

t.test('P01: 8 to 128 characters; what is longer is refused unhashed, at sign-in too', async (t) => {
  const user = await signUp(app)
  for (const length of [7, 129, 10_000]) {
    const refused = await register({ password: 'xY3.'.repeat(length).slice(0, length) })
    t.match([refused.statusCode, refused.json().errors?.[0].field], [422, 'password'], `${length} characters`)
  }
  for (const length of [8, 128]) {
    const password = 'xY3.'.repeat(length).slice(0, length)
    const username = `length-${length}`
    t.equal((await register({ email: `${username}@example.com`, username, password })).statusCode, 201)
    t.equal((await login(username, password)).statusCode, 200)
  }
  t.equal((await login(user.email, 'x'.repeat(129))).statusCode, 422)
})

t.test('P02: passwords are never cut, trimmed or case-folded; both spellings of one text (NFC) are one', async (t) => {
  const password = ` Crème brûlée, ${'x'.repeat(100)}! `
  await register({ email: 'exact@example.com', username: 'exact', password })
  for (const wrong of [password.trim(), password.toLowerCase(), password.slice(0, 72), password.slice(0, -1)]) {
    t.equal((await login('exact', wrong)).statusCode, 401, wrong)
  }
  t.equal((await login('exact', password.normalize('NFD'))).statusCode, 200)
  t.equal((await login('exact', password.normalize('NFC'))).statusCode, 200)
})

t.test('P03: a common password is refused, in any case and with a year or a sign behind it', async (t) => {
  for (const password of ['PassWord', 'qwertyuiop', 'Password123!', 'Summer2024!', 'iloveyou', '11111111']) {
    const refused = await register({ password })
    t.equal(refused.statusCode, 422, password)
    t.match(refused.json().errors, [{ field: 'password', message: /common/ }])
    t.notOk(refused.body.includes(password), 'which is not echoed')
  }
})

t.test('P04: an unknown user and a wrong password get the same answer', async (t) => {
  const { email } = await signUp(app)
  const attempt = (identifier: string) =>
    app.inject({ method: 'POST', url: '/api/v1/auth/login', payload: { identifier, password: 'Wrong-horse-1' } })

  const wrong = await attempt(email)
  const unknown = await attempt('nobody@example.com')

  t.equal(wrong.statusCode, 401)
  t.ok(wrong.headers['www-authenticate'])
  const stable = ({ headers, body }: typeof wrong) => {
    const { 'x-request-id': id, 'server-timing': _t, 'x-response-time': _r, date: _d, ratelimit: _l, ...rest } = headers
    return { rest, body: body.replaceAll(String(id), 'ID') }
  }
  t.same(stable(unknown), stable(wrong))
})

t.test('P08: case and look-alikes of one address or username never make two accounts', async (t) => {
  t.equal((await register({ email: 'Grace@Example.com', username: 'Grace.H' })).statusCode, 201)
  for (const [fields, status] of [
    [{ email: 'grace@example.COM' }, 409],
    [{ username: 'GRACE.H' }, 409],
    [{ username: 'ｇｒａｃｅ.ｈ' }, 409],
    [{ username: 'grаce.h' }, 422],
    [{ email: 'grаce@example.com' }, 422],
    [{ email: 'ｇｒａｃｅ@example.com' }, 422],
    [{ email: 'grace@exaｍple.com' }, 422],
    [{ email: ' grace@example.com' }, 422]
  ] as const) {
    t.equal((await register(fields)).statusCode, status, JSON.stringify(fields))
  }
})

t.test('a hash made with other parameters is replaced when its owner signs in', async (t) => {
  const user = await signUp(app)
  const weak = await hash(user.password, { type: argon2id, memoryCost: 32, timeCost: 1, parallelism: 1 })
  await app.db.updateTable('users').set({ password_hash: weak }).where('username', '=', user.username).execute()

  t.equal((await login(user.email, 'Wrong-horse-1')).statusCode, 401)
  t.equal(await hashOf(user.username), weak, 'not by a wrong password')
  t.equal((await login(user.email, user.password)).statusCode, 200)

  const renewed = await hashOf(user.username)
  t.match(renewed, /^\$argon2id\$v=19\$m=64,/)
  t.equal((await login(user.email, user.password)).statusCode, 200)
  t.equal(await hashOf(user.username), renewed, 'once')
})

t.test('of several sign-ins at once that find a weaker hash, each succeeds', async (t) => {
  const user = await signUp(app)
  const weaker = await hash(user.password, { memoryCost: 32, timeCost: 1, parallelism: 1, type: argon2id })
  await app.db.updateTable('users').set({ password_hash: weaker }).where('username', '=', user.username).execute()
  const answers = await Promise.all(Array.from({ length: 4 }, () => login(user.email, user.password)))
  t.same(
    answers.map(({ statusCode }) => statusCode),
    [200, 200, 200, 200]
  )
})

t.test('a right password is enough while the queue for hashes is full, and gets its better hash', async (t) => {
  // Slow enough to be seen at work.
  const cost = { memoryCost: 8192, timeCost: 10, parallelism: 1 }
  const app = await startApp(t, {
    ARGON2_MEMORY_KIB: `${cost.memoryCost}`,
    ARGON2_TIME_COST: `${cost.timeCost}`,
    ARGON2_CONCURRENCY: '1',
    ARGON2_QUEUE: '1'
  })
  const user = await signUp(app)
  const weaker = await hash(user.password, { ...cost, type: argon2id, timeCost: 9 })
  await app.db.updateTable('users').set({ password_hash: weaker }).where('username', '=', user.username).execute()
  let isAnswered = false
  const occupy = async () => {
    while (!isAnswered) await app.passwords.hash('Correct-horse-1').catch(() => setImmediate())
  }

  const others = [occupy()]
  const signingIn = signIn(app, user).finally(() => {
    isAnswered = true
  })
  const isWaiting = async () => /^password_queue_length 1$/m.test((await app.inject('/metrics')).body)
  while (!isAnswered && !(await isWaiting())) await setImmediate()
  others.push(occupy(), occupy())
  await t.resolves(signingIn)
  await Promise.all(others)
  t.match(await hashOf(user.username, app), /\$m=8192,.*t=10\b/)
})

t.test('A14: changing the password ends every other session and its access tokens, and keeps this one', async (t) => {
  const user = await signUp(app)
  const others = [await signIn(app, user), await signIn(app, user)]
  const bystander = await signUp(app)
  for (const { headers } of [user, ...others, bystander]) t.equal(await statusOf(headers), 200)
  const new_password = 'Another-horse-2'

  const answer = await change(user.headers, { current_password: user.password, new_password })

  t.equal(answer.statusCode, 200)
  t.match(answer.json(), { message: 'Password changed', data: { sessions_revoked: 2 } })
  for (const { headers, refreshToken } of others) {
    t.equal(await statusOf(headers), 401)
    const payload = { refresh_token: refreshToken }
    t.equal((await app.inject({ method: 'POST', url: '/api/v1/auth/refresh', payload })).statusCode, 401)
  }
  t.equal(await statusOf(user.headers), 200)
  t.equal(await statusOf(bystander.headers), 200)
  t.equal((await login(user.email, user.password)).statusCode, 401)
  t.equal((await login(user.email, new_password)).statusCode, 200)
  const events = app.db.selectFrom('audit_events').select(['action', 'target_id', 'details'])
  t.match(await events.where('actor_id', '=', user.id).where('action', '=', 'password.changed').execute(), [
    { action: 'password.changed', target_id: user.id, details: { sessions_revoked: 2 } }
  ])
})

t.test('P19: changing the password takes the current one and obeys the policy', async (t) => {
  const user = await signUp(app)
  const other = await signIn(app, user)
  const before = await hashOf(user.username)
  for (const [payload, field] of [
    [{ current_password: 'Wrong-horse-1', new_password: 'Another-horse-2' }, 'current_password'],
    [{ current_password: user.password, new_password: 'short' }, 'new_password'],
    [{ current_password: user.password, new_password: 'password123' }, 'new_password'],
    [{ current_password: user.password, new_password: user.email }, 'new_password'],
    [{ current_password: user.password, new_password: 'x'.repeat(129) }, 'new_password'],
    [{ new_password: 'Another-horse-2' }, 'current_password']
  ] as const) {
    const refused = await change(user.headers, payload)
    t.match([refused.statusCode, refused.json().errors?.[0].field], [422, field], JSON.stringify(payload))
  }
  const anonymous = await change({}, { current_password: user.password, new_password: 'Another-horse-2' })
  t.equal(anonymous.statusCode, 401)
  t.equal(await hashOf(user.username), before)
  t.equal(await statusOf(other.headers), 200, 'and no session ended')
})

t.test('of two changes at once with the same current password one wins', async (t) => {
  const user = await signUp(app)
  const wanted = ['Another-horse-2', 'Another-horse-3']

  const answers = await Promise.all(
    wanted.map((new_password) => change(user.headers, { current_password: user.password, new_password }))
  )

  t.same(answers.map(({ statusCode }) => statusCode).sort(), [200, 422])
  for (const [index, password] of wanted.entries()) {
    t.equal((await login(user.email, password)).statusCode, answers[index]?.statusCode === 200 ? 200 : 401)
  }
})
