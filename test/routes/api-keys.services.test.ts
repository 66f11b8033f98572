import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { buildApp } from '../../src/app.ts'
import { signUp, testConfig } from '../support/app.ts'
import { testDatabase } from '../support/database.ts'

t.test('K03: a key that was revoked in one process is dead in another within a second', async (t) => {
  const { url } = await testDatabase(t, 'services')
  const config = testConfig(t, { DATABASE_URL: url })
  const [here, there] = [await buildApp(config), await buildApp(config)]
  for (const app of [here, there]) {
    t.teardown(() => app.close())
    await app.ready()
  }
  const { headers } = await signUp(here)
  const make = () => here.inject({ method: 'POST', url: '/api/v1/api-keys', headers, payload: {} })
  const use = async (app: typeof here, key: string) =>
    (await app.inject({ url: '/api/v1/users/me', headers: { 'x-api-key': key } })).statusCode

  for (const change of ['DELETE', 'PATCH'] as const) {
    const { id, api_key } = (await make()).json().data
    for (const app of [here, there]) for (let times = 0; times < 3; times++) t.equal(await use(app, api_key), 200)

    const payload = change === 'PATCH' ? { payload: { is_active: false } } : {}
    await here.inject({ method: change, url: `/api/v1/api-keys/${id}`, headers, ...payload })
    t.equal(await use(here, api_key), 401, `${change}: at once here`)
    await delay(1000)
    t.equal(await use(there, api_key), 401, `${change}: after a second there`)
  }
})
