import t from 'tap'
import { signUp, startApp } from '../support/app.ts'
import { FIVE, lockoutClient, lockoutVariables } from './lockout-client.ts'

const app = await startApp(t, lockoutVariables())
const { newAddress, post, login, failures } = lockoutClient(app)

t.test('a right password does not count, though its account is deactivated', async (t) => {
  const user = await signUp(app)
  const ip = newAddress()
  await app.db.updateTable('users').set({ is_active: false }).where('username', '=', user.username).execute()
  for (let round = 0; round < 6; round++) t.equal((await login(user.email, user.password, { ip })).statusCode, 403)
})

t.test('P15: who guesses at an account locks out nobody but himself', async (t) => {
  const victim = await signUp(app)
  const [home, attacker] = [newAddress(), newAddress()]
  t.equal((await login(victim.email, victim.password, { ip: home })).statusCode, 200)
  t.same(await failures(6, victim.email, { ip: attacker }), [...FIVE, 429])

  t.equal(
    (await login(victim.email, victim.password, { ip: newAddress() })).statusCode,
    200,
    'at a new address, at once'
  )
  t.same(await failures(4, victim.email, { ip: newAddress() }), [401, 401, 401, 401])
  t.same(await failures(1, victim.email, { ip: newAddress() }), [401], 'the tenth')

  const ip = newAddress()
  const delayed = await login(victim.email, victim.password, { ip })
  t.match([delayed.statusCode, delayed.json().error_code], [429, 'LOCKED_OUT'])
  t.equal(delayed.headers['retry-after'], '1')
  t.equal((await login(victim.email, victim.password, { ip: home })).statusCode, 200, 'from a known one at once')
  const deadline = Date.now() + 10_000
  let answer = delayed
  while (answer.statusCode === 429 && Date.now() < deadline) answer = await login(victim.email, victim.password, { ip })
  t.equal(answer.statusCode, 200, 'from a new one after the delay')
  t.equal((await login(victim.email, victim.password, { ip })).statusCode, 200, 'which is known from now on')
  const { target_id } = await app.db
    .selectFrom('audit_events')
    .select('target_id')
    .where('action', '=', 'account.locked')
    .where('target_type', '=', 'user')
    .executeTakeFirstOrThrow()
  t.equal(target_id, victim.id)
})

t.test('P15: an address where a session was ended for a suspicion is no known one', async (t) => {
  const user = await signUp(app)
  const [home, thief] = [newAddress(), newAddress()]
  await login(user.email, user.password, { ip: home })
  await login(user.email, user.password, { ip: thief })
  await app.db
    .updateTable('sessions')
    .set({ revoked_at: 'now', revoked_reason: 'reuse' })
    .where('ip', '=', thief)
    .execute()
  for (let index = 0; index < 10; index++) await failures(1, user.username, { ip: newAddress() })

  t.equal((await login(user.username, user.password, { ip: thief })).statusCode, 429)
  t.equal((await login(user.username, user.password, { ip: home })).statusCode, 200)
})

t.test('P18: a success resets what was failed on that account', async (t) => {
  const user = await signUp(app)
  const ip = newAddress()
  for (let round = 0; round < 3; round++) {
    t.same(await failures(4, user.email, { ip }), [401, 401, 401, 401])
    t.equal((await login(user.email.toUpperCase(), user.password, { ip })).statusCode, 200)
  }
  t.same(await failures(6, user.email, { ip }), [...FIVE, 429])
})

t.test('P19: a wrong current password counts like any other', async (t) => {
  const user = await signUp(app)
  const ip = newAddress()
  const change = (current_password: string) =>
    post(
      '/api/v1/users/me/change-password',
      { current_password, new_password: 'Another-horse-2' },
      { ip, headers: user.headers }
    )

  t.equal((await change('')).statusCode, 422, 'it is required')
  for (let index = 0; index < 5; index++) {
    const answer = await change('Wrong-horse-1')
    t.match([answer.statusCode, answer.json().errors], [422, [{ field: 'current_password' }]])
  }
  const refused = await change(user.password)
  t.match([refused.statusCode, refused.json().error_code], [429, 'LOCKED_OUT'])
  t.equal((await login(user.email, user.password)).statusCode, 200, 'it was not changed')
})

t.test('an account that does not exist is treated like one that does', async (t) => {
  const user = await signUp(app)
  for (const identifier of [user.email, 'nobody@example.com']) {
    for (let index = 0; index < 10; index++) t.same(await failures(1, identifier, { ip: newAddress() }), [401])
    const delayed = await login(identifier, 'Wrong-horse-1', { ip: newAddress() })
    t.match([delayed.statusCode, delayed.headers['retry-after']], [429, '1'], identifier)
  }
})
