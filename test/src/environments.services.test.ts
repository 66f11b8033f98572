import t from 'tap'
import { buildApp } from '../../src/app.ts'
import { signUp, startApp, testConfig } from '../support/app.ts'

const basic = (username: string, password: string) => ({
  authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
})

/** What production and staging ask for beside the test's own configuration. */
const serious = { ARGON2_MEMORY_KIB: '7168', HOST: '127.0.0.1' }
const pages = ['/docs', '/redoc', '/openapi.json', '/openapi.yaml']

t.test('O11: production has no documentation', async (t) => {
  const app = await startApp(t, { ...serious, ENVIRONMENT: 'production' })
  for (const url of pages) t.equal((await app.inject({ url })).statusCode, 404, url)
  t.notMatch((await app.inject('/')).body, /docs/)
})

t.test('O11: staging shows it to administrators only', async (t) => {
  const admin = { ADMIN_EMAIL: 'root@example.com', ADMIN_USERNAME: 'root', ADMIN_PASSWORD: 'Correct-horse-1' }
  const app = await startApp(t, { ...serious, ...admin, ENVIRONMENT: 'staging', MAX_FAILED_ATTEMPTS: '5' })
  const user = await signUp(app)
  for (const url of pages) {
    const anonymous = await app.inject({ url })
    t.equal(anonymous.statusCode, 401, url)
    t.match(anonymous.headers['www-authenticate'], /^Basic /)
    t.equal((await app.inject({ url, headers: basic('root', 'Wrong-horse-1') })).statusCode, 401)
    t.equal((await app.inject({ url, headers: basic(user.username, user.password) })).statusCode, 401)
    t.equal((await app.inject({ url, headers: basic('root', 'Correct-horse-1') })).statusCode, 200)
  }
  const guess = () =>
    app.inject({ url: '/docs', headers: basic('root', 'Wrong-horse-1'), remoteAddress: '198.51.100.1' })
  for (let count = 0; count < 5; count++) t.equal((await guess()).statusCode, 401)
  t.equal((await guess()).statusCode, 429)
  const events = app.db.selectFrom('audit_events').select('count').where('ip', '=', '198.51.100.1')
  const counts = await events.where('action', '=', 'sign_in.failed').execute()
  t.equal(
    counts.reduce((sum, { count }) => sum + count, 0),
    5,
    'O07'
  )
})

t.test('the first administrator is created once and never reset', async (t) => {
  const admin = { ADMIN_EMAIL: 'root@example.com', ADMIN_USERNAME: 'root', ADMIN_PASSWORD: 'Correct-horse-1' }
  const app = await startApp(t, admin)
  const before = await app.db.selectFrom('users').selectAll().where('username', '=', 'root').executeTakeFirstOrThrow()
  const again = await buildApp(testConfig(t, { ...admin, ADMIN_PASSWORD: 'Another-horse-1' }), {
    database: app.database
  })
  t.teardown(() => again.close())
  t.same(await app.db.selectFrom('users').selectAll().where('username', '=', 'root').execute(), [before])
  const login = await app.inject({
    method: 'POST',
    url: '/api/v1/auth/login',
    payload: { identifier: 'root', password: 'Correct-horse-1' }
  })
  t.same(login.json().data.user.roles, ['admin'])
})
