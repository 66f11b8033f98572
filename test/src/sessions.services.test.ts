import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { generateSecrets } from '../../src/secrets.ts'
import { signIn, signUp, startApp } from '../support/app.ts'
import { services } from '../support/server.ts'

// Two processes of one service; what they share is the database, and the second one does without Redis.
const shared = { ...(await services(t)), ...generateSecrets() }
const here = await startApp(t, shared)
const there = await startApp(t, { ...shared, REDIS_URL: undefined })

const refresh = (app: typeof here, refresh_token: string) =>
  app.inject({ method: 'POST', url: '/api/v1/auth/refresh', payload: { refresh_token } })
const statusAt = async (app: typeof here, headers: Record<string, string>) =>
  (await app.inject({ url: '/api/v1/users/me', headers })).statusCode

t.test('R05: 50 refreshes at once over two processes leave one live branch', async (t) => {
  const user = await signUp(here)
  for (let round = 1; round <= 5; round++) {
    const { refreshToken } = await signIn(here, user)

    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, n) => refresh(n % 2 === 0 ? here : there, refreshToken))
    )

    t.same([...new Set(answers.map(({ statusCode }) => statusCode))], [200])
    const successors = new Set(answers.map((answer) => answer.json().data.refresh_token))
    t.equal(successors.size, 1)
    const [successor] = successors
    t.equal((await refresh(there, successor)).statusCode, 200)
    t.equal((await refresh(here, refreshToken)).json().error_code, 'REFRESH_TOKEN_REUSED')
  }
})

const endings = {
  'a session that was logged out': ({ headers }) =>
    here.inject({ method: 'POST', url: '/api/v1/auth/logout', headers }),
  'every session after a logout everywhere': ({ headers }) =>
    here.inject({ method: 'POST', url: '/api/v1/auth/logout-all', headers }),
  'a session whose refresh token was reused': async ({ refreshToken }) => {
    const next = await refresh(here, refreshToken)
    await refresh(here, next.json().data.refresh_token)
    return refresh(here, refreshToken)
  },
  'another session after a change of the password': async (user) => {
    const { headers } = await signIn(here, user)
    const payload = { current_password: user.password, new_password: 'Another-horse-2' }
    return here.inject({ method: 'POST', url: '/api/v1/users/me/change-password', headers, payload })
  }
} satisfies Record<string, (user: Awaited<ReturnType<typeof signUp>>) => PromiseLike<unknown>>

for (const [what, end] of Object.entries(endings)) {
  t.test(`A10: ${what} is dead at once here, and within a second elsewhere`, async (t) => {
    const user = await signUp(here)
    t.equal(await statusAt(here, user.headers), 200)
    t.equal(await statusAt(there, user.headers), 200)

    await end(user)
    const endedAt = performance.now()

    t.equal(await statusAt(here, user.headers), 401)
    let lastAliveMs = 0
    for (let askedMs = 0; askedMs < 5000; askedMs = performance.now() - endedAt) {
      if ((await statusAt(there, user.headers)) !== 200) break
      lastAliveMs = askedMs
      await delay(10)
    }
    t.equal(await statusAt(there, user.headers), 401)
    t.ok(lastAliveMs < 1000, `alive for ${Math.round(lastAliveMs)} ms`)
  })
}
