import t from 'tap'
import { patientRedis, signUp, startApp } from '../support/app.ts'

const app = await startApp(t, { ...patientRedis, USER_RATE_LIMIT_PER_HOUR: '30' })

t.test('the limits of a caller who has been here before cost one trip to Redis', async (t) => {
  const { headers } = await signUp(app)
  const tripsOf = async (headers: Record<string, string>) => {
    const before = app.redisGuard.stats().calls
    t.equal((await app.inject({ url: '/api/v1/users/me', headers })).statusCode, 200)
    return app.redisGuard.stats().calls - before
  }
  t.same([await tripsOf(headers), await tripsOf(headers), await tripsOf(headers)], [2, 1, 1])
})

t.test('what is refused before the handler is not charged to a caller, known or not', async (t) => {
  const { headers } = await signUp(app)
  const get = (url: string) => app.inject({ url, headers })
  const left = async () => {
    const { data } = (await get('/api/v1/rate-limits/me')).json()
    return data.find(({ policy }: { policy: string }) => policy === 'per-user').remaining
  }
  const before = await left()
  for (let n = 0; n < 2; n++) {
    t.equal((await get('/api/v1/users')).statusCode, 403)
    t.equal((await get('/api/v1/todos/')).statusCode, 404)
  }
  t.equal(await left(), before)
})
